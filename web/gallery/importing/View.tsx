import { type ReactNode, useEffect, useRef } from "react";
import classes from "./importing.module.css";

/** A view of the dialog. It takes the focus over from what it replaces, such as the button that led to it. */
export function View({ name, children }: { name: string; children: ReactNode }) {
  const box = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (document.activeElement === document.body) box.current?.focus({ preventScroll: true });
  }, [name]);
  return (
    <div ref={box} tabIndex={-1} className={classes.view}>
      {children}
    </div>
  );
}
