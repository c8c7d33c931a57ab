import{t}from"./index-CtdBnXSx.js";const o=t("lab");export{o as u};
