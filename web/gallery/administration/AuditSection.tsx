import { AuditLog } from "../audit/AuditLog";
import { useScope } from "../shell/scope";
import { SectionHead } from "./SectionHead";

/** Who did what in the organisation. */
export function AuditSection() {
  const { orgId } = useScope();
  return (
    <>
      <SectionHead title="Audit log">
        Every change, every sign-in and every opening of secrets in organisation {orgId}. Entries are written with what they tell of, and nobody can change them; none holds a secret.
      </SectionHead>
      <AuditLog />
    </>
  );
}
