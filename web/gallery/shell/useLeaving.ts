import { useEffect, useRef } from "react";
import { navigate } from "wouter/use-browser-location";

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
    // Before the pages hear of it. The step is undone, so that the address stays true to what is shown.
    const step = (event: PopStateEvent) => {
      const there = location.href;
      if (there === here) return;
      event.stopImmediatePropagation();
      history.pushState(null, "", here);
      latest.current(() => navigate(there, { replace: true }));
    };
    const click = (event: MouseEvent) => {
      const link = event.target instanceof Element && event.target.closest("a");
      if (!link || link.target || link.origin !== location.origin || event.button !== 0 || event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) return;
      event.preventDefault();
      event.stopPropagation();
      latest.current(() => navigate(link.href));
    };
    addEventListener("beforeunload", unload);
    addEventListener("popstate", step, { capture: true });
    document.addEventListener("click", click, { capture: true });
    return () => {
      removeEventListener("beforeunload", unload);
      removeEventListener("popstate", step, { capture: true });
      document.removeEventListener("click", click, { capture: true });
    };
  }, [losable]);
}
