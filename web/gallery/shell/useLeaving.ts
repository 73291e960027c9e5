import { useEffect, useRef } from "react";
import { navigate } from "wouter/use-browser-location";

// Where somebody stepped to who may lose something by it, if anybody wants to know.
let asked: ((there: string) => boolean) | null = null;
// Added as the pages are loaded (main.tsx), so that it hears of a step before they do: whatever listens to window is told in turn.
addEventListener("popstate", (event) => {
  if (asked?.(location.href)) event.stopImmediatePropagation();
});

/**
 * Asks before something is lost: on a step back or forward and on a link to elsewhere here, which ask is told how to follow; where
 * the page itself is left, the browser asks.
 */
export function useLeaving(losable: boolean, ask: (leave: () => void) => void) {
  const latest = useRef(ask);
  useEffect(() => {
    latest.current = ask;
  });
  useEffect(() => {
    if (!losable) return;
    const here = location.href;
    const unload = (event: BeforeUnloadEvent) => event.preventDefault();
    const click = (event: MouseEvent) => {
      const link = event.target instanceof Element && event.target.closest("a");
      if (!link || link.target || link.origin !== location.origin || event.button !== 0 || event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) return;
      event.preventDefault();
      event.stopPropagation();
      latest.current(() => navigate(link.href));
    };
    // The step is undone, so that the address stays true to what is shown.
    asked = (there) => {
      if (there === here) return false;
      history.pushState(null, "", here);
      latest.current(() => navigate(there, { replace: true }));
      return true;
    };
    addEventListener("beforeunload", unload);
    document.addEventListener("click", click, { capture: true });
    return () => {
      asked = null;
      removeEventListener("beforeunload", unload);
      document.removeEventListener("click", click, { capture: true });
    };
  }, [losable]);
}
