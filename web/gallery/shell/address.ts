import { useLocation, useSearch } from "wouter";

/** What opens over a page: a provider to connect, an integration to configure, an integration to import from. */
type Dialog = "connect" | "configure" | "import";

const dialogs: Dialog[] = ["connect", "configure", "import"];

/** Addresses here. All keep the project. */
export interface Address {
  project: string | null;
  /** Which dialog is open, and on what. */
  open: { dialog: Dialog; value: string } | null;
  /** The run that the import dialog follows. */
  run: string | null;
  /** The address of a page, such as /administration. */
  page(path: string): string;
  /** The address of a dialog over the page that one is on. */
  dialog(dialog: Dialog, value: string): string;
  /** The address of the gallery of a project. */
  gallery(project: string): string;
  go(address: string, options?: { replace?: boolean }): void;
  /** Has the import dialog follow a run, or none. */
  follow(run: string | null): void;
  /** Closes the dialog. */
  close(): void;
}

export function useAddress(): Address {
  const [path, go] = useLocation();
  const search = useSearch();
  const query = new URLSearchParams(search);
  const project = query.get("project");
  const dialog = dialogs.find((name) => query.has(name));
  return {
    project,
    open: dialog ? { dialog, value: query.get(dialog) ?? "" } : null,
    run: dialog === "import" ? query.get("run") : null,
    page: (to) => address(to, project === null ? {} : { project }),
    dialog: (name, value) => address(path, { ...without(query), [name]: value }),
    gallery: (to) => address("/", { project: to }),
    go,
    follow: (run) => go(address(path, { ...without(query), ...(dialog && { [dialog]: query.get(dialog) ?? "" }), ...(run !== null && { run }) }), { replace: true }),
    close: () => go(address(path, without(query)), { replace: true }),
  };
}

/** What is asked for, but for the dialogs. */
function without(query: URLSearchParams): Record<string, string> {
  return Object.fromEntries([...query].filter(([name]) => name !== "run" && !dialogs.includes(name as Dialog)));
}

function address(path: string, query: Record<string, string>): string {
  const text = new URLSearchParams(query).toString();
  return text ? `${path}?${text}` : path;
}
