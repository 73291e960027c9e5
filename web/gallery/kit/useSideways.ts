import { type RefObject, useEffect, useRef } from "react";

/**
 * Keeps what is chosen of a row in sight that scrolls sideways where there is little room, without moving the page, and has the
 * styles know on which sides there is more: see .sideways. chosen becomes another whenever something else is chosen, or takes other room.
 */
export function useSideways<E extends HTMLElement>(chosen: string): RefObject<E | null> {
  const ref = useRef<E>(null);
  useEffect(() => {
    const row = ref.current;
    if (!row) return;
    function tell(row: E) {
      row.toggleAttribute("data-before", row.scrollLeft > 1);
      row.toggleAttribute("data-after", row.scrollLeft + row.clientWidth < row.scrollWidth - 1);
    }
    function show(row: E) {
      const found = row.querySelector("[aria-selected=true], [aria-current]")?.getBoundingClientRect();
      const around = row.getBoundingClientRect();
      if (found) row.scrollLeft += (found.left + found.right - around.left - around.right) / 2;
      tell(row);
    }
    const scrolled = () => tell(row);
    const observer = new ResizeObserver(() => show(row)); // which calls at once, too
    observer.observe(row);
    row.addEventListener("scroll", scrolled, { passive: true });
    return () => {
      observer.disconnect();
      row.removeEventListener("scroll", scrolled);
    };
  }, [chosen]);
  return ref;
}
