import { type ReactNode, useEffect } from "react";
import { focusMain } from "./focusMain";

// What had the focus last: for an entry of a menu, which closes by being chosen, the menu's button.
let last: Element | null = null;
document.addEventListener("focusin", ({ target }) => {
  if (!(target instanceof Element)) return;
  const menu = target.closest("[role=menu]");
  last = menu ? document.getElementById(menu.getAttribute("aria-labelledby") ?? "") : target;
});

/** Gives the focus back to what opened a dialog, or else to the page. */
export function ReturnFocus({ children }: { children: ReactNode }) {
  useEffect(() => {
    const opener = last;
    return () => {
      setTimeout(() => {
        if (opener instanceof HTMLElement && opener.isConnected) opener.focus({ preventScroll: true });
        else focusMain();
      });
    };
  }, []);
  return children;
}
