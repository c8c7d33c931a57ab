// Keeps what GraphiQL keeps while somebody signs in, and prints what is written where. Run beside storage.js.
class TabStorage {
  getItem = (key) => (Object.hasOwn(this, key) ? this[key] : null);
  setItem = (key, value) => { this[key] = value; };
  removeItem = (key) => { delete this[key]; };
}
const written = (kept) => Object.keys(kept).filter((key) => typeof kept[key] === 'string').sort();
globalThis.sessionStorage = new TabStorage();
globalThis.localStorage = new TabStorage();
localStorage.setItem('graphiql:queries', '{"queries":[{"query":"mutation { userLogin(input: {password: \\"p\\"}) }"}]}');
localStorage.setItem('another page', 'stays');
sessionStorage.setItem('r3edge:token', 'r3s_x');

const { forgetWhatEarlierVersionsKept, storage } = await import('./storage.js');
forgetWhatEarlierVersionsKept();
storage.setItem('graphiql:tabState', '{ engine { version } }');
const harmless = written(sessionStorage);
storage.setItem('graphiql:tabState', 'mutation { userLogin(input: {email: "a", password: "p"}) { token } }');
const secret = written(sessionStorage);
const read = storage.getItem('graphiql:tabState');
storage.setItem('graphiql:tabState', '{ viewer { id } }');
const again = [written(sessionStorage), storage.getItem('graphiql:tabState'), storage.length];
storage.clear();
process.stdout.write(JSON.stringify({
  harmless, secret, read, again, cleared: written(sessionStorage), outlives: written(localStorage), none: storage.getItem('graphiql:x'),
}));
