/** The day's sales by category, country and product. */

import type { JSX } from "preact";
import type { Live, Text } from "../../api/shapes";
import { add } from "../../format/decimal";
import { share } from "../../format/figures";
import { printable } from "../../format/printable";
import { Bar } from "../../parts/bars";
import type { Subject } from "../../parts/explain";
import { type Frame, footerOf, useFrame } from "../../parts/frame";
import { Panel } from "../../parts/panel";
import { Shown, memberName } from "../../parts/shown";
import { Spark } from "../../parts/spark";
import type { Sheet } from "../../parts/table";
import type { Words } from "./words";

interface PartProps {
  live: Live;
  words: Words;
}

const HOURS = 24;

function about(title: string, by: string, { live, words }: PartProps, sheet: () => Sheet): Subject {
  const day = live.shop.today ?? undefined;
  return { title, question: { figure: "net_sales", by, from: day, to: day, basis: live.basis }, window: words.window, sheet };
}

function total(parts: Text[]): Text {
  return parts.reduce<Text>((sum, part) => (sum === null || part === null ? null : add(sum, part)), "0");
}

function colourOf(frame: Frame, category: string): string {
  return category === "Other" ? "var(--category-other)" : frame.colourOf(category);
}

export function Categories(props: PartProps): JSX.Element {
  const frame = useFrame();
  const { live, words } = props;
  const rows = live.by_category;
  const all = rows.map(({ net }) => net);
  const sum = total(all);
  const subject = about("Net sales by category", "category", props, () => ({
    name: `net_sales-by-category-${live.shop.today}`,
    columns: [
      { title: "Category", unit: "text" },
      { title: "Net sales", unit: "money" },
    ],
    rows: rows.map(({ label, net }) => [label, net]),
  }));
  return (
    <Panel class="third" title="Net sales by category" footer={footerOf(frame, "net_sales", words.window)} subject={subject}>
      {rows.length ? (
        <ul class="ranking">
          {rows.map(({ key, label, net }) => (
            <li key={key}>
              <span class="ranking-name">{memberName(label)}</span>
              <Bar value={net} all={all} colour={colourOf(frame, key)} />
              <strong class="number">
                <Shown name="net_sales" by="category" item={key} value={net} unit="money" />
              </strong>
              <span class="number muted ranking-share">{share(net, sum)}</span>
            </li>
          ))}
        </ul>
      ) : (
        <p class="none">No sales on this day yet.</p>
      )}
    </Panel>
  );
}

export function Countries(props: PartProps): JSX.Element {
  const frame = useFrame();
  const { live, words } = props;
  const rows = live.by_country;
  const all = rows.map(({ net }) => net);
  const subject = about("Net sales by country", "country", props, () => ({
    name: `net_sales-by-country-${live.shop.today}`,
    columns: [
      { title: "Country", unit: "text" },
      { title: "Orders", unit: "count" },
      { title: "Net sales", unit: "money" },
    ],
    rows: rows.map(({ label, orders, net }) => [label, orders, net]),
  }));
  return (
    <Panel class="third last" title="Net sales by country" footer={footerOf(frame, "net_sales", words.window)} subject={subject}>
      {rows.length ? (
        <table class="plain">
          <thead>
            <tr>
              <th scope="col">Country</th>
              <th scope="col" class="number">
                Orders
              </th>
              <th scope="col" class="number">
                Net sales
              </th>
              <th scope="col" class="bar-cell">
                <span class="sr">Share</span>
              </th>
            </tr>
          </thead>
          <tbody>
            {rows.map(({ key, label, net, orders }) => (
              <tr key={key}>
                <th scope="row">{memberName(label)}</th>
                <td class="number">
                  <Shown name="orders" by="country" item={key} value={orders === null ? null : String(orders)} unit="count" />
                </td>
                <td class="number strong">
                  <Shown name="net_sales" by="country" item={key} value={net} unit="money" />
                </td>
                <td class="bar-cell">
                  <Bar value={net} all={all} thin />
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      ) : (
        <p class="none">No sales on this day yet.</p>
      )}
    </Panel>
  );
}

export function Products(props: PartProps): JSX.Element {
  const frame = useFrame();
  const { live, words } = props;
  const rows = live.top_products;
  const subject = about("Top products", "product", props, () => ({
    name: `top-products-${live.shop.today}`,
    columns: [
      { title: "Product", unit: "text" },
      { title: "Code", unit: "text" },
      { title: "Units", unit: "quantity" },
      { title: "Net sales", unit: "money" },
      { title: "Returned", unit: "ratio" },
    ],
    rows: rows.map(({ key, label, units, net, return_rate }) => [label, key, units, net, return_rate]),
  }));
  return (
    <Panel class="full" title="Top products" footer={footerOf(frame, "net_sales", `${words.window}, trend by hour`)} subject={subject}>
      {rows.length ? (
        <table class="plain products">
          <thead>
            <tr>
              <th scope="col">Product</th>
              <th scope="col" class="number">
                Units
              </th>
              <th scope="col" class="number">
                Net sales
              </th>
              <th scope="col" class="trend-cell">
                Trend
              </th>
              <th scope="col" class="number">
                Returned
              </th>
            </tr>
          </thead>
          <tbody>
            {rows.map(({ key, label, units, net, trend, return_rate }) => (
              <tr key={key}>
                <th scope="row">
                  <span class="product-name">{memberName(label)}</span> {label !== printable(key) && <span class="code">{printable(key)}</span>}
                </th>
                <td class="number">
                  <Shown name="units" by="product" item={key} value={units} unit="quantity" />
                </td>
                <td class="number strong">
                  <Shown name="net_sales" by="product" item={key} value={net} unit="money" />
                </td>
                <td class="trend-cell">
                  <Spark values={trend} length={HOURS} height={20} open />
                </td>
                <td class="number">
                  <Shown name="return_rate" by="product" item={key} value={return_rate} unit="ratio" />
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      ) : (
        <p class="none">No sales on this day yet.</p>
      )}
    </Panel>
  );
}
