import { useEffect, useRef, useState } from "react";
import { type AnyVariables, type CombinedError, type OperationResult, type RequestPolicy, type TypedDocumentNode, useClient } from "urql";

interface Connection<N> {
  nodes: N[];
  pageInfo: { hasNextPage: boolean; endCursor: string | null };
}

interface Pages<N> {
  /** Undefined until the first page is here. */
  nodes: N[] | undefined;
  /** Whether nodes answers an earlier question, or another page is on its way. */
  loading: boolean;
  error: CombinedError | undefined;
  /** Asks for another page; null where there is none. */
  more: (() => void) | null;
  /** Reads all again that is shown. */
  again(): void;
}

interface Known<N> {
  key: string;
  pages: number;
  nodes: N[] | undefined;
  hasMore: boolean;
  settled: boolean;
  error: CombinedError | undefined;
}

/**
 * A list that is read page by page. What the cache learns of its items shows at once. Each page begins where the one before it ends
 * by now, so that nothing is missing or twice where something came in between.
 */
export function usePages<D, V extends AnyVariables, N>(query: TypedDocumentNode<D, V>, variables: Omit<V, "after">, pick: (data: D) => Connection<N>, pause = false): Pages<N> {
  const client = useClient();
  const key = JSON.stringify(variables);
  const [wanted, setWanted] = useState({ key, pages: 1 });
  const pages = wanted.key === key ? wanted.pages : 1;
  const [turn, setTurn] = useState(0);
  const [known, setKnown] = useState<Known<N>>({ key, pages, nodes: undefined, hasMore: false, settled: false, error: undefined });
  const asked = useRef(""); // what went to the server last
  const latest = useRef(pick);
  useEffect(() => {
    latest.current = pick;
  });

  useEffect(() => {
    if (pause) return;
    const question = `${turn} ${key}`;
    const requestPolicy: RequestPolicy = asked.current === question ? "cache-first" : "cache-and-network"; // another page alone
    asked.current = question;
    const chain: { after: string | null; end(): void; answer?: Connection<N> }[] = [];

    function read(index: number, after: string | null) {
      for (const { end } of chain.splice(index)) end();
      const link: (typeof chain)[number] = { after, end: () => {} };
      chain.push(link);
      const source = client.query(query, { ...(JSON.parse(key) as object), after } as unknown as V, { requestPolicy });
      const { unsubscribe } = source.subscribe((result) => heard(index, link, result));
      link.end = unsubscribe;
      if (chain[index] !== link) unsubscribe();
    }

    function heard(index: number, link: (typeof chain)[number], { data, error }: OperationResult<D, V>) {
      if (chain[index] !== link) return;
      if (data === undefined || data === null) return setKnown((before) => ({ ...(before.key === key ? before : { key, nodes: undefined, hasMore: false }), pages, settled: true, error }));
      const { nodes, pageInfo } = latest.current(data);
      link.answer = { nodes, pageInfo };
      const goesOn = pageInfo.hasNextPage && index + 1 < pages;
      if (goesOn && chain[index + 1]?.after !== pageInfo.endCursor) return read(index + 1, pageInfo.endCursor);
      if (!goesOn) for (const { end } of chain.splice(index + 1)) end();
      if (chain.some(({ answer }) => !answer)) return;
      setKnown({ key, pages, nodes: chain.flatMap(({ answer }) => answer?.nodes ?? []), hasMore: chain.at(-1)?.answer?.pageInfo.hasNextPage ?? false, settled: true, error });
    }

    // What is read again shows as it was meanwhile.
    setKnown((before) => (before.key === key && before.pages === pages && before.nodes ? before : { ...before, settled: false }));
    read(0, null);
    return () => {
      for (const { end } of chain.splice(0)) end();
    };
  }, [client, query, key, pages, turn, pause]);

  return {
    nodes: known.nodes,
    loading: !known.settled || known.key !== key,
    error: known.error,
    more: known.hasMore && known.key === key ? () => setWanted({ key, pages: pages + 1 }) : null,
    again: () => setTurn((n) => n + 1),
  };
}
