import{t}from"./index-CJ06CMGj.js";const o=t("lab");export{o as u};
