import{t}from"./index-_Ia6Cirz.js";const o=t("lab");export{o as u};
