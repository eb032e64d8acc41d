import type { JSX } from "preact";
import type { FeedState } from "../../state/feed";
export function DataPage(_: { state: FeedState; now: number }): JSX.Element { return <p/>; }
