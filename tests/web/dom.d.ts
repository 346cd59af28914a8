// What a found element is, the templates decide and the browser tests try. So what is asked of an event's target or of
// an element found by a selector is not checked, as long as some element has a property of that name.

interface EventTarget {
  closest: any;
  contains: any;
  dataset: any;
  form: any;
  matches: any;
  id: any;
  open: any;
  checked: any;
  value: any;
  textContent: any;
  focus: any;
}

interface Element {
  blur: any;
  cells: any;
  content: any;
  click: any;
  dataset: any;
  dateTime: any;
  disabled: any;
  elements: any;
  focus: any;
  hidden: any;
  href: any;
  max: any;
  placeholder: any;
  rows: any;
  style: any;
  tabIndex: any;
  title: any;
}

/** What a listener on a found element is given. */
type Happened = Omit<KeyboardEvent & PointerEvent & ClipboardEvent & SubmitEvent, "target"> & { target: any };

/** A found element, or one that was made: of a tag that only the template knows, or the caller. */
type Found = {
  addEventListener(type: string, listener: (event: Happened) => unknown, options?: boolean | AddEventListenerOptions): void;
  children: any;
  cloneNode: any;
  dataset: any;
  firstElementChild: any;
  lastElementChild: any;
  nextElementSibling: any;
  parentElement: any;
  previousElementSibling: any;
  querySelectorAll: any;
  textContent: any;
} & { [property: string]: any } & HTMLElement;

interface ParentNode {
  querySelector(selectors: string): Found;
}

interface HTMLFormControlsCollection {
  [name: string]: any;
}
