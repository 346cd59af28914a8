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
  disabled: any;
  elements: any;
  hidden: any;
  href: any;
  max: any;
  placeholder: any;
  rows: any;
  style: any;
  tabIndex: any;
}

interface ParentNode {
  querySelector(selectors: string): any;
}

interface HTMLFormControlsCollection {
  [name: string]: any;
}
