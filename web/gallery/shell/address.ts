import { useLocation, useSearch } from "wouter";

/** What opens over a page: a provider to connect, an integration to configure, an integration to import from. */
type Dialog = "connect" | "configure" | "import";

const dialogs: Dialog[] = ["connect", "configure", "import"];

/** Addresses here. All keep the project. */
export interface Address {
  project: string | null;
  /** Which dialog is open, and on what. */
  open: { dialog: Dialog; value: string } | null;
  /** The run that the import dialog follows, or "last" for whichever that is. */
  run: string | null;
  /** The address of a page, such as /administration. */
  page(path: string): string;
  /** The address of a dialog over the page that one is on. */
  dialog(dialog: Dialog, value: string): string;
  /** The address of what came of a run, or of the last one, in the import dialog. */
  result(integration: string, run?: string): string;
  /** The address of the gallery of a project. */
  gallery(project: string): string;
  /** The address that one is at, in a project. */
  within(project: string): string;
  go(address: string, options?: { replace?: boolean }): void;
  /** Has the import dialog follow a run, or none. */
  follow(run: string | null): void;
  /** Puts another dialog in the place of the one that is open. */
  lead(dialog: Dialog, value: string): void;
  /** Closes the dialog. */
  close(): void;
}

/** Addresses begin from where one is as they are asked for, which may be elsewhere than at the render before. */

export function useAddress(): Address {
  const [, go] = useLocation();
  const search = useSearch();
  const query = new URLSearchParams(search);
  const project = query.get("project");
  const open = opened(query);
  /** Does what a dialog wants once its work is done: not any more where it was left meanwhile. */
  const become = (next: Record<string, string>) => {
    const now = opened(new URLSearchParams(location.search));
    if (open && now?.dialog === open.dialog && now.value === open.value) go(here(next), { replace: true });
  };
  return {
    project,
    open,
    run: open?.dialog === "import" ? query.get("run") : null,
    page: (to) => address(to, project === null ? {} : { project }),
    dialog: (name, value) => here({ [name]: value }),
    result: (integration, run = "last") => here({ import: integration, run }),
    gallery: (to) => address("/", { project: to }),
    within: (to) => address(location.pathname, { ...Object.fromEntries(new URLSearchParams(location.search)), project: to }),
    go,
    follow: (run) => become({ ...(open && { [open.dialog]: open.value }), ...(run !== null && { run }) }),
    lead: (name, value) => become({ [name]: value }),
    close: () => become({}),
  };
}

function opened(query: URLSearchParams): Address["open"] {
  const dialog = dialogs.find((name) => query.has(name));
  return dialog ? { dialog, value: query.get(dialog) ?? "" } : null;
}

/** The address that one is at, with this dialog instead of any. */
function here(dialog: Record<string, string>): string {
  const rest = [...new URLSearchParams(location.search)].filter(([name]) => name !== "run" && !dialogs.includes(name as Dialog));
  return address(location.pathname, { ...Object.fromEntries(rest), ...dialog });
}

function address(path: string, query: Record<string, string>): string {
  const text = new URLSearchParams(query).toString();
  return text ? `${path}?${text}` : path;
}
