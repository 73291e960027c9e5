import { useEffect } from "react";
import { useLocation } from "wouter";
import { useAddress } from "./address";
import { useScope } from "./scope";

/**
 * Writes the project of what is looked at into the address: a link may have come without it, or with another one, and the header
 * and what is made here go by the address. Returns whether the address has another one still.
 */
export function useProjectOf(projectId: string | undefined): boolean {
  const { project } = useScope();
  const address = useAddress();
  const elsewhere = projectId !== undefined && projectId !== project.id;
  useEffect(() => {
    if (elsewhere) address.go(address.within(projectId), { replace: true });
  });
  return elsewhere;
}

/** The same for what a dialog is on. Over the page of another integration, that page's project stays. */
export function useProjectUnderDialog(projectId: string | undefined): boolean {
  const [path] = useLocation();
  return useProjectOf(path.startsWith("/integrations/") ? undefined : projectId);
}
