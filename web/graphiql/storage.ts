import type { Storage } from "@graphiql/toolkit";

// What may outlive the page: looks only. Everything else (tabs, variables, headers, history) may hold a secret.
const harmless = new Set(
  ["theme", "visiblePlugin", "docExplorerFlex", "editorFlex", "secondaryEditorFlex"].map((name) => `graphiql:${name}`),
);

/** Storage for GraphiQL that writes harmless preferences to the browser and keeps the rest in memory. */
export function preferencesOnly(): Storage {
  const memory = new Map<string, string>();
  return {
    get length() {
      return memory.size;
    },
    getItem(key) {
      return memory.get(key) ?? (harmless.has(key) ? browser((storage) => storage.getItem(key)) : null);
    },
    setItem(key, value) {
      memory.set(key, value);
      if (harmless.has(key)) browser((storage) => storage.setItem(key, value));
    },
    removeItem(key) {
      memory.delete(key);
      if (harmless.has(key)) browser((storage) => storage.removeItem(key));
    },
    clear() {
      memory.clear();
      for (const key of harmless) browser((storage) => storage.removeItem(key));
    },
  };
}

/** The browser's storage, where it is allowed and not full. */
function browser<Result>(act: (storage: globalThis.Storage) => Result): Result | null {
  try {
    return act(window.localStorage);
  } catch {
    return null;
  }
}
