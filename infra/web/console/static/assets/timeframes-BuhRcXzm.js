const M={M1:"1m",M3:"3m",M5:"5m",M15:"15m",M30:"30m",H1:"1h",H2:"2h",H4:"4h",H6:"6h",H12:"12h",D1:"1d",W1:"1w"},h=m=>m in M;export{M as T,h as i};
