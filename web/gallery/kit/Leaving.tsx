import { Button, Text } from "@mantine/core";
import { useEffect, useRef } from "react";

interface Props {
  /** What would be lost. */
  what: string;
  /** Of the words. */
  className?: string | undefined;
  onStay(): void;
  onLeave(): void;
}

/** Asks, in a row of buttons, with the focus on what loses nothing, and gives it back. */
export function Leaving({ what, className, onStay, onLeave }: Props) {
  const stay = useRef<HTMLButtonElement>(null);
  useEffect(() => {
    const before = document.activeElement;
    stay.current?.focus();
    return () => {
      if (before instanceof HTMLElement && before.isConnected) before.focus();
    };
  }, []);
  return (
    <>
      <Text component="div" size="sm" c="var(--tone-warn)" className={className} role="alert">
        {what}
      </Text>
      <Button variant="default" onClick={onLeave}>
        Discard
      </Button>
      <Button ref={stay} onClick={onStay}>
        Keep editing
      </Button>
    </>
  );
}
