// Shows the widgets that a page holds, without a kernel: their state stands in the page, and what
// jslink has joined stays joined. Only the models of ipywidgets' base and controls are known.
import * as base from "@jupyter-widgets/base";
import { ManagerBase } from "@jupyter-widgets/base-manager";
import * as controls from "@jupyter-widgets/controls";
import "@jupyter-widgets/controls/css/labvariables.css";
import "@jupyter-widgets/controls/css/widgets-base.css";
import { Widget } from "@lumino/widgets";

const MODULES = { "@jupyter-widgets/base": base, "@jupyter-widgets/controls": controls };
const MIME = "application/vnd.jupyter.widget";

class PageManager extends ManagerBase {
  async loadClass(name, module) {
    return MODULES[module][name];
  }

  async display_view(view, element) {
    Widget.attach(view.luminoWidget, element);
  }

  async _get_comm_info() {
    return {};
  }

  // Nobody listens: a widget that is moved tells only those it is linked to.
  async _create_comm() {
    return { on_close() {}, on_msg() {}, send() {}, close() {} };
  }
}

async function show(manager, tag) {
  const place = document.createElement("div");
  place.className = "widget-subarea";
  tag.before(place);
  const model = await manager.get_model(JSON.parse(tag.textContent).model_id);
  await manager.display_view(await manager.create_view(model), place);
}

async function showAll() {
  for (const state of document.querySelectorAll(`script[type="${MIME}-state+json"]`)) {
    const manager = new PageManager();
    await manager.set_state(JSON.parse(state.textContent));
    const views = document.querySelectorAll(`script[type="${MIME}-view+json"]`);
    await Promise.all([...views].map((tag) => show(manager, tag)));
  }
}

if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", showAll);
else showAll();
