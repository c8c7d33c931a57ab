import{r}from"./index-CtdBnXSx.js";const t=new Map;function a(e){const[,s]=r.useState(0),o=n=>{n===null?t.delete(e):t.set(e,n),s(p=>p+1)};return[t.get(e)??null,o]}export{a as u};
