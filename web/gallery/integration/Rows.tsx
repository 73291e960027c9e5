import { Table } from "@mantine/core";
import type { ReactNode } from "react";
import type { CombinedError } from "urql";
import { trouble } from "../errors";
import { MoreButton } from "../kit/MoreButton";
import { Problem } from "../kit/Problem";
import { RowSkeletons } from "../kit/RowSkeletons";
import classes from "./integration.module.css";

interface Props {
  /** What it is a table of, such as "Runs". */
  label: string;
  head: ReactNode;
  /** A row for each; undefined while they are read. */
  rows: ReactNode[] | undefined;
  /** What is said where there is none. */
  empty: ReactNode;
  /** What could not be done, such as "The runs cannot be read". */
  failed: string;
  error: CombinedError | undefined;
  loading: boolean;
  more: (() => void) | null;
  again(): void;
}

/** A table with what it shows before, without and instead of rows, and a way to more of them. */
export function Rows({ label, head, rows, empty, failed, error, loading, more, again }: Props) {
  const problem = trouble(error);
  const said = rows && problem?.code === "OFFLINE" ? null : problem; // the banner says so
  if (said && (!rows || rows.length === 0)) return <Problem what={failed} trouble={said} retry={again} />;
  if (!rows) return <RowSkeletons label={`${label} are being read`} />;
  if (rows.length === 0) return loading ? <div className={classes.list} data-stale="true">{empty}</div> : empty;
  return (
    <>
      {said && <Problem what={failed} trouble={said} retry={again} />}
      <div className={classes.list} data-stale={loading} aria-busy={loading}>
        <Table className={classes.table} aria-label={label} highlightOnHover={false}>
          <Table.Thead>
            <Table.Tr>{head}</Table.Tr>
          </Table.Thead>
          <Table.Tbody>{rows}</Table.Tbody>
        </Table>
      </div>
      <MoreButton more={more} loading={loading} />
    </>
  );
}
