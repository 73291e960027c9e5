import { Drawer, Skeleton, Stack } from "@mantine/core";
import { useCallback, useRef, useState } from "react";
import { Empty } from "../kit/Empty";
import { Problem } from "../kit/Problem";
import { useRole } from "../shell/session";
import { useProjectUnderDialog } from "../shell/useProjectOf";
import { ConfigurationForm } from "./ConfigurationForm";
import classes from "./connect.module.css";
import { type Subject, type Target, useSubject } from "./useSubject";

export type { Target };

/** Connects a provider, or configures an integration. Leaving asks first where something would be lost. */
export default function ConnectDrawer({ target, onClose }: { target: Target; onClose(): void }) {
  const { mayEdit, role } = useRole();
  const { subject, absent, trouble, read } = useSubject(target, !mayEdit);
  const elsewhere = useProjectUnderDialog(subject && "id" in subject.from ? subject.from.projectId : undefined);
  const losable = useRef<string | null>(null);
  const [leaving, setLeaving] = useState<(() => void) | null>(null);
  const onLosable = useCallback((what: string | null) => {
    losable.current = what;
    if (what === null) setLeaving(null);
  }, []);
  const leave = (how: () => void) => (losable.current === null ? how() : setLeaving(() => how));
  return (
    <Drawer
      opened
      onClose={() => (leaving ? setLeaving(null) : leave(onClose))}
      position="right"
      size={680}
      title={<Heading target={target} subject={subject} />}
      classNames={{ content: classes.content ?? "", header: classes.head ?? "", title: classes.title ?? "", body: classes.body ?? "" }}
    >
      {!mayEdit ? (
        <Empty title="You may look, but not change this">{`Settings need the editor's role, and yours is ${role.toLowerCase()}. Ask an administrator for it.`}</Empty>
      ) : elsewhere ? (
        <Skeletons />
      ) : subject ? (
        <ConfigurationForm subject={subject} leaving={leaving} onLosable={onLosable} onStay={() => setLeaving(null)} onLeave={leave} onClose={onClose} />
      ) : trouble ? (
        <div className={classes.sections}>
          <Problem what="The settings cannot be read" trouble={trouble} retry={read} />
        </div>
      ) : absent ? (
        <Empty title={"provider" in target ? "There is no such provider" : "There is no such integration"}>
          {"provider" in target ? "This server may be an older version than the page's address is from." : "It may have been deleted, or belong to another project."}
        </Empty>
      ) : (
        <Skeletons />
      )}
    </Drawer>
  );
}

function Heading({ target, subject }: { target: Target; subject: Subject | null }) {
  const verb = "provider" in target ? "Connect" : "Configure";
  if (!subject) return verb;
  const { provider, from, named } = subject;
  return (
    <>
      <img src={provider.logoUrl} alt="" width={24} height={24} />
      {"id" in from ? `${verb} ${from.displayName}` : `${verb} ${named ? "another " : ""}${provider.displayName}`}
    </>
  );
}

function Skeletons() {
  return (
    <Stack className={classes.sections} aria-busy="true" aria-label="The settings are being read" role="status">
      <Skeleton height={14} width="70%" />
      {[1, 2, 3].map((n) => (
        <Stack key={n} gap="sm" mt="md">
          <Skeleton height={18} width={160} />
          <Skeleton height={36} />
          <Skeleton height={36} />
        </Stack>
      ))}
    </Stack>
  );
}
