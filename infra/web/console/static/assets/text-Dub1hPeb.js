import{t}from"./index-CU2a29iz.js";const o=t("lab");export{o as u};
