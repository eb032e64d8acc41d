/** ECharts with only the components that the charts use. */

import { BarChart, LineChart } from "echarts/charts";
import { GridComponent, MarkAreaComponent } from "echarts/components";
import { init, use } from "echarts/core";
import { CanvasRenderer } from "echarts/renderers";

use([LineChart, BarChart, GridComponent, MarkAreaComponent, CanvasRenderer]);

export { init };
