// What GraphiQL keeps (tabs, history, variables): for as long as the tab is open, and what may hold a secret, such as the
// password in a document of userLogin, only until the page is left. Nothing is written that outlives the tab.
const MAY_HOLD_SECRET = /password|passphrase|secret|credential|token|api_?key/i;
const PREFIX = 'graphiql:';
const unwritten = new Map();

export const storage = {
  getItem: (key) => unwritten.get(key) ?? sessionStorage.getItem(key),
  setItem(key, value) {
    this.removeItem(key);
    if (MAY_HOLD_SECRET.test(value)) unwritten.set(key, value);
    else sessionStorage.setItem(key, value);
  },
  removeItem(key) {
    unwritten.delete(key);
    sessionStorage.removeItem(key);
  },
  clear() {
    unwritten.clear();
    removeAll(sessionStorage);
  },
  get length() {
    return unwritten.size + keysOf(sessionStorage).length;
  },
};

// Earlier versions kept all of it in localStorage, where it stayed.
export function forgetWhatEarlierVersionsKept() {
  removeAll(localStorage);
}

function keysOf(kept) {
  return Object.keys(kept).filter((key) => key.startsWith(PREFIX));
}

function removeAll(kept) {
  for (const key of keysOf(kept)) kept.removeItem(key);
}
