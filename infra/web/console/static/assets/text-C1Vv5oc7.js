import{t}from"./index-BrY6Aai3.js";const o=t("lab");export{o as u};
