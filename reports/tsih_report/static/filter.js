// Filters the clause table. Without this script everything is shown and nothing is lost.
(() => {
  const form = document.querySelector('form.filter');
  if (!form) return;
  const rows = [...document.querySelectorAll('tr.clause')].map((row) => ({
    row, text: row.textContent.toLowerCase(), states: row.dataset.states.trim().split(/\s+/),
  }));
  const matches = (r, f) => {
    const wanted = (s) => (!f.system || s.startsWith(f.system + ':')) && (!f.verdict || s.endsWith(':' + f.verdict));
    if ((f.system || f.verdict) && !r.states.some(wanted)) return false;
    if (f.level && r.row.dataset.level !== f.level) return false;
    if (f.party && r.row.dataset.party !== f.party && r.row.dataset.party !== 'both') return false;
    return f.text.toLowerCase().split(/\s+/).every((word) => r.text.includes(word));
  };
  const apply = () => {
    const f = Object.fromEntries(new FormData(form));
    let shown = 0;
    for (const r of rows) {
      r.row.hidden = !matches(r, f);
      shown += r.row.hidden ? 0 : 1;
    }
    const filtered = shown < rows.length;
    document.querySelector('table.sections').hidden = filtered;  // what was asked for comes at once
    for (const section of document.querySelectorAll('details.rfc')) {
      section.hidden = !section.querySelector('tr.clause:not([hidden])');
      if (filtered && !section.hidden) section.open = true;
    }
    document.getElementById('shown').textContent =
      shown === rows.length ? String(shown) : `${shown} of ${rows.length}`;
  };
  form.hidden = false;
  form.addEventListener('input', apply);
  form.addEventListener('submit', (event) => event.preventDefault());
  form.addEventListener('reset', () => setTimeout(apply));
  for (const link of document.querySelectorAll('a[data-verdict]')) {
    link.addEventListener('click', () => {
      form.reset();
      form.elements.system.value = link.dataset.system;
      form.elements.verdict.value = link.dataset.verdict;
      apply();
    });
  }
  // A link to a clause that the filter hides shows it again.
  const reveal = () => {
    const row = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (row?.matches('details.known')) row.open = true;
    const section = row?.closest('details.rfc');
    if (!section) return;
    if (row.closest('[hidden]')) { form.reset(); apply(); }
    section.open = true;
    row.querySelector('details')?.setAttribute('open', '');
    row.scrollIntoView();
  };
  addEventListener('hashchange', reveal);
  apply();
  reveal();
})();
