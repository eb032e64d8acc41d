import { render } from "preact";
import { App } from "./app";
import "./theme/tokens.css";
import "./theme/base.css";
import "./theme/parts.css";
import "./theme/pages.css";

const root = document.getElementById("app");
if (root) render(<App />, root);
