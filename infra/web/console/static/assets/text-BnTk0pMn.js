import{t}from"./index-BYK7Ttqq.js";const o=t("lab");export{o as u};
