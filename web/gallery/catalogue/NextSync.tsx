import { useNow } from "../kit/When";
import { exact } from "../kit/words";
import { upcoming } from "./state";

/** When the schedule starts the next sync, with the exact time on hover. */
export function NextSync({ at }: { at: string }) {
  const now = useNow();
  const time = new Date(at);
  return (
    <time dateTime={at} title={exact(time)}>
      {upcoming(time, now)}
    </time>
  );
}
