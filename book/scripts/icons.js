// The theme's icons, and those of the widgets' buttons: the few that the book shows, in place of the
// theme's own file of all there are, which is twenty times as large.
import { config, dom, library } from "@fortawesome/fontawesome-svg-core";
import { faGithub } from "@fortawesome/free-brands-svg-icons";
import {
  faAngleLeft,
  faAngleRight,
  faArrowUp,
  faBars,
  faCircleHalfStroke,
  faDownload,
  faExpand,
  faFile,
  faFilePdf,
  faList,
  faMagnifyingGlass,
  faMoon,
  faOutdent,
  faPause,
  faPlay,
  faRetweet,
  faRocket,
  faStop,
  faSun,
  faXmark,
} from "@fortawesome/free-solid-svg-icons";

// Put into the <i>, not in its place: the widgets go on changing the <i> of their buttons.
config.autoReplaceSvg = "nest";
library.add(
  faAngleLeft,
  faAngleRight,
  faArrowUp,
  faBars,
  faCircleHalfStroke,
  faDownload,
  faExpand,
  faFile,
  faFilePdf,
  faGithub,
  faList,
  faMagnifyingGlass,
  faMoon,
  faOutdent,
  faPause,
  faPlay,
  faRetweet,
  faRocket,
  faStop,
  faSun,
  faXmark,
);
dom.watch();
