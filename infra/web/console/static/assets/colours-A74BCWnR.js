function t(e){return getComputedStyle(document.documentElement).getPropertyValue(`--${e}`).trim()}export{t as c};
