import{t as e}from"./index-Dj1CSFmH.js";const t=e("screens/orders");export{t as u};
