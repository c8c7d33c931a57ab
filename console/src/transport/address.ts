/** Where the engine is: the page's <base> says it, below whatever path a proxy serves the console. */
export const baseUrl = new URL('.', document.baseURI);
export const basePath = baseUrl.pathname.replace(/\/$/, '');
export const graphqlUrl = new URL('graphql', baseUrl).href;
export const socketUrl = graphqlUrl.replace(/^http/, 'ws');
