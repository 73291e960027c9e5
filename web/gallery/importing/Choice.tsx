import { Alert, Anchor, Button, Text } from "@mantine/core";
import { useEffect, useMemo, useRef, useState } from "react";
import { type CombinedError, type RequestPolicy, useMutation, useQuery } from "urql";
import { Link } from "wouter";
import { trouble, troubles } from "../errors";
import { AlertIcon } from "../kit/icons";
import { Empty } from "../kit/Empty";
import { Problem } from "../kit/Problem";
import { about, count, plural } from "../kit/words";
import { useAddress } from "../shell/address";
import { isStale, readAt, wasRead } from "./age";
import { draftOf, keepDraft } from "./draft";
import classes from "./importing.module.css";
import { LatestLine } from "./LatestRun";
import { PastRuns, StartImport, Structure as Read, type Target } from "./operations";
import { OptionFields } from "./OptionFields";
import { complaint, kinds, type Options, ownOptions } from "./options";
import { expected } from "./pace";
import { refusal } from "./refusal";
import { type Chosen, resolve, same, smallest, type Summary, summarise } from "./selection";
import { StructureField, StructureSkeleton } from "./StructureField";
import { build, type Structure } from "./structure";
import { View } from "./View";

interface Props {
  target: Target;
  onStarted(run: string): void;
  /** Another import turned out to run. */
  onBusy(): void;
}

/** Chooses what to import, and starts it. */
export function Choice(props: Props) {
  const { target } = props;
  // Asking anew costs the provider's budget: only where what is known is old, or somebody wants it.
  const [requestPolicy] = useState<RequestPolicy>(() => (isStale(target.id, new Date()) ? "cache-and-network" : "cache-first"));
  const [{ data, error, fetching, stale }, read] = useQuery({ query: Read, variables: { id: target.id }, requestPolicy });
  const reading = fetching || stale;
  const [at, setAt] = useState(() => readAt(target.id));
  const asked = useRef(false);
  useEffect(() => {
    if (asked.current && !reading && !error) {
      wasRead(target.id, new Date());
      setAt(readAt(target.id));
    }
    asked.current = reading;
  }, [target.id, reading, error]);
  const [kept, setKept] = useState(data); // what is known stays in sight when asking anew fails
  if (data && data !== kept) setKept(data);
  const structure = useMemo(() => kept && build(kept.externalStructure), [kept]);
  const readAgain = () => read({ requestPolicy: "network-only" });
  const problem = error && !reading && <Refused target={target} error={error} retry={readAgain} />;

  if (problem && !structure) return <View name="refused">{problem}</View>;
  if (!structure) return <StructureSkeleton provider={target.provider.displayName} />;
  if (structure.units.length === 0) {
    return (
      <Empty title="There is nothing to import">
        <Text c="dimmed">{target.provider.displayName} shows nothing that could be chosen to these credentials.</Text>
        <Button variant="default" loading={reading} onClick={readAgain}>
          Look again
        </Button>
      </Empty>
    );
  }
  return (
    <View name="choice">
      {problem}
      <Form {...props} structure={structure} at={at} reading={reading} onRead={readAgain} />
    </View>
  );
}

function Refused({ target, error, retry }: { target: Target; error: CombinedError; retry(): void }) {
  const address = useAddress();
  const { words, trouble: found, fix } = useMemo(() => refusal(error, target.provider.displayName, new Date()), [error, target]);
  return (
    <Problem what={words} trouble={found} {...(!fix && { retry })}>
      {fix && (
        <Button component={Link} href={address.dialog("configure", target.id)} size="xs">
          Fix
        </Button>
      )}
    </Problem>
  );
}

interface FormProps extends Props {
  structure: Structure;
  /** When that was read. */
  at: Date | null;
  reading: boolean;
  onRead(): void;
}

function Form({ target, structure, at, reading, onRead, onStarted, onBusy }: FormProps) {
  const { selection, lastSuccessfulSync, currentRun } = target.syncState;
  const [draft] = useState(() => draftOf(target.id));
  const remembered = useMemo(() => resolve(structure, selection), [structure, selection]);
  const [edited, setEdited] = useState<string[] | null | undefined>(draft?.externalIds);
  const { chosen, lost } = useMemo(() => (edited === undefined ? remembered : resolve(structure, edited)), [structure, edited, remembered]);
  const own = useMemo(() => ownOptions(target), [target]);
  const [options, setOptions] = useState<Options>(draft?.options ?? own);
  const [onlyChanges, setOnlyChanges] = useState(false);
  const [{ fetching, error }, start] = useMutation(StartImport);

  const summary = useMemo(() => summarise(structure, chosen, options.archived), [structure, chosen, options.archived]);
  const [{ data: past }] = useQuery({ query: PastRuns, variables: { id: target.id } });
  const seconds = useMemo(
    () => expected(summary, summarise(structure, remembered.chosen, options.archived), past?.syncRuns.nodes ?? []),
    [summary, structure, remembered, options.archived, past],
  );
  const unchanged = remembered.lost.length === 0 && same(chosen, remembered.chosen);
  const mayBeShort = target.provider.capabilities.supportsIncrementalSync && lastSuccessfulSync !== null && unchanged;
  const incremental = mayBeShort && onlyChanges;
  const touched = edited !== undefined || options.completed !== own.completed || options.archived !== own.archived || options.batchSize !== own.batchSize;
  useEffect(() => {
    keepDraft(target.id, touched ? { externalIds: edited === undefined ? selection : edited, options } : null);
  }, [target.id, touched, edited, selection, options]);

  function change(next: Chosen) {
    setEdited(smallest(structure, next));
  }
  async function begin() {
    const { data, error } = await start({
      id: target.id,
      input: {
        mode: incremental ? "INCREMENTAL" : "FULL",
        // Unchanged, in the order that it has: another one would count as another selection.
        externalIds: unchanged ? selection : smallest(structure, chosen),
        ...(options.completed !== own.completed && { includeCompleted: options.completed }),
        ...(options.archived !== own.archived && { includeArchived: options.archived }),
        ...(options.batchSize !== own.batchSize && { batchSize: Number(options.batchSize) }),
      },
    });
    if (data) {
      keepDraft(target.id, null);
      onStarted(data.startSync.id);
    } else if (trouble(error)?.code === "CONFLICT") onBusy();
  }

  const refused = error ? troubles(error) : [];
  const conflict = refused.some(({ code }) => code === "CONFLICT");
  const sizeComplaint = complaint(options.batchSize) ?? refused.find(({ field }) => field === "batchSize")?.message ?? null;
  const other = refused.find(({ field }) => field !== "batchSize");
  // What was refused because another one runs leads there.
  useEffect(() => {
    if (conflict && currentRun) onStarted(currentRun.id);
  }, [conflict, currentRun, onStarted]);

  return (
    <>
      <LatestLine target={target} onFollow={onStarted} />
      {lost.length > 0 && (
        <Alert color="yellow" icon={<AlertIcon />} title={`${plural(lost.length, "chosen place")} ${lost.length === 1 ? "is" : "are"} not there any more`}>
          {target.provider.displayName} does not list {lost.length === 1 ? "it" : "them"} now. Starting an import forgets {lost.length === 1 ? "it" : "them"}.
        </Alert>
      )}
      <StructureField structure={structure} chosen={chosen} archived={options.archived} at={at} reading={reading} onChange={change} onRead={onRead} />
      <OptionFields
        options={options}
        sizeComplaint={sizeComplaint}
        onChange={setOptions}
        mode={mayBeShort ? { onlyChanges, onChange: setOnlyChanges } : null}
      />
      {other && <Problem what="The import was not started" trouble={other} />}
      <div className={classes.footer}>
        <Total of={summary} seconds={incremental ? null : seconds} />
        {currentRun ? (
          <Text size="sm" role="status">
            An import is running now.{" "}
            <Anchor component="button" type="button" inherit onClick={() => onStarted(currentRun.id)}>
              Show it
            </Anchor>
          </Text>
        ) : (
          <Button onClick={() => void begin()} loading={fetching} disabled={summary.kinds.length === 0 || complaint(options.batchSize) !== null}>
            Start import
          </Button>
        )}
      </div>
    </>
  );
}

/** "4 lists, 9,240 items · about 2 minutes". */
function Total({ of: { kinds: found, items, uncounted, shelved }, seconds }: { of: Summary; seconds: number | null }) {
  const places = found.map(([kind, n]) => kinds(n, kind)).join(", ");
  const counted = items > 0 || (uncounted === 0 && found.length > 0);
  return (
    <div className={classes.total} role="status">
      <Text size="sm" fw={500}>
        {places || (shelved > 0 ? "Nothing to import" : "Nothing is chosen")}
        {counted && `, ${uncounted > 0 ? "at least " : ""}${plural(items, "item")}`}
        {seconds !== null && ` · ${about(seconds)}`}
      </Text>
      {shelved > 0 && (
        <Text size="xs" c="dimmed">
          {count(shelved)} archived left out
        </Text>
      )}
    </div>
  );
}
