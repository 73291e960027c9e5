// What outlives the page that it belongs to, and a reload, as what was begun and not sent yet: in the tab's own storage.
const key = (name: string) => `patchbay:${name}`;

/** What was kept under a name; null where nothing was. */
export function kept<T>(name: string): T | null {
  try {
    const text = sessionStorage.getItem(key(name));
    return text === null ? null : (JSON.parse(text) as T);
  } catch {
    return null; // the browser keeps nothing
  }
}

/** Null forgets it. */
export function keep(name: string, what: object | null) {
  try {
    if (what) sessionStorage.setItem(key(name), JSON.stringify(what));
    else sessionStorage.removeItem(key(name));
  } catch {
    // As above: then it is gone with its page.
  }
}
