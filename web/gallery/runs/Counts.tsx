import { Table } from "@mantine/core";
import { count } from "../kit/words";
import type { Run } from "./operations";
import classes from "./runs.module.css";
import { objectTypes, table } from "./words";

/** What a run did so far, by type. */
export function Counts({ run }: { run: Run }) {
  const { columns, rows } = table(run.counts);
  if (rows.length === 0) return null;
  return (
    <Table.ScrollContainer minWidth={0} type="native" tabIndex={0} role="region" aria-label="What was done, by type">
      <Table verticalSpacing={6} horizontalSpacing="xs" className={classes.counts}>
        <Table.Thead>
          <Table.Tr>
            <Table.Th scope="col">Type</Table.Th>
            {columns.map(({ column, heading }) => (
              <Table.Th key={column} scope="col" ta="right">
                {heading}
              </Table.Th>
            ))}
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {rows.map((row) => (
            <Table.Tr key={row.type}>
              <Table.Th scope="row" fw={400}>
                {objectTypes[row.type].many}
              </Table.Th>
              {columns.map(({ column }) => (
                <Table.Td key={column} ta="right" data-failed={(column === "failed" && row.failed > 0) || undefined}>
                  {row[column] > 0 ? count(row[column]) : "–"}
                </Table.Td>
              ))}
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </Table.ScrollContainer>
  );
}
