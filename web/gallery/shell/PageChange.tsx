import { useEffect, useRef, useState } from "react";
import { useLocation } from "wouter";
import { Announced } from "../kit/Announced";
import { focusMain } from "../kit/focusMain";

/** Tells of another page, by its title once it has one, and takes the focus there where what had it is gone. */
export function PageChange() {
  const [path] = useLocation();
  const [told, setTold] = useState("");
  const before = useRef(path);
  useEffect(() => {
    if (before.current === path) return;
    before.current = path;
    const timer = setTimeout(() => {
      setTold(document.title);
      if (document.activeElement === document.body) focusMain();
    }, 300);
    return () => clearTimeout(timer);
  }, [path]);
  return <Announced>{told}</Announced>;
}
