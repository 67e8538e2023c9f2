/* SPDX-License-Identifier: Apache-2.0 */
/* How the page looks: the reader's own fonts, light or dark as the reader's system is, no script,
 * nothing fetched. The colours of contenders differ in lightness too, so that they survive print. */
#include "certify/bench/page.h"

const char sp_page_style[] =
    ":root{color-scheme:light dark;--bg:#fcfcfa;--fg:#1c1d21;--soft:#62656e;--line:#d9d9d4;"
    "--bar:#e9e9e4;--bad:#b3261e;--good:#1b6e3c;"
    "--c0:#0b5fa5;--c1:#c2570c;--c2:#4c7d1d;--c3:#8a3ea8;--c4:#a67c00;--c5:#0f7f80;--c6:#c22f66;"
    "--c7:#5b5f6b;--c8:#7a4a1d;--c9:#3647b8}\n"
    "@media(prefers-color-scheme:dark){:root{--bg:#15161a;--fg:#e6e6e1;--soft:#9a9da7;--line:#"
    "33353d;"
    "--bar:#24262c;--bad:#ff8a80;--good:#7ed7a0;"
    "--c0:#6db6f5;--c1:#f5a35f;--c2:#a5d66f;--c3:#d29bea;--c4:#e8c75a;--c5:#62cfd0;--c6:#f58ab0;"
    "--c7:#b4b8c4;--c8:#d0a277;--c9:#9aa8ff}}\n"
    "*{box-sizing:border-box}body{margin:0 auto;max-width:68rem;padding:2rem 1.25rem 4rem;"
    "background:var(--bg);color:var(--fg);font:16px/1.5 system-ui,sans-serif}"
    "h1{font-size:1.6rem;line-height:1.25;margin:0 0 .25rem}h2{font-size:1.2rem;margin:2.5rem 0 "
    ".5rem}"
    "h3{font-size:1rem;margin:1.75rem 0 .4rem}p{max-width:46rem}.soft{color:var(--soft)}"
    ".wide{overflow-x:auto}table{border-collapse:collapse;width:100%;font-size:.875rem;"
    "font-variant-numeric:tabular-nums}th{font-weight:600;text-align:right;color:var(--soft);"
    "padding:.2rem .55rem;border-bottom:1px solid var(--line);white-space:nowrap}"
    "td{text-align:right;padding:.22rem .55rem;border-bottom:1px solid var(--line);"
    "white-space:nowrap}th:first-child,td:first-child,.l{text-align:left}"
    "td.bar{width:22%;min-width:7rem;text-align:left}"
    ".track{display:block;height:.8rem;background:var(--bar);position:relative}"
    ".fill{display:block;height:100%}.bad{color:var(--bad);font-weight:600}.good{color:var(--good)}"
    "svg{display:block;width:100%;height:auto;max-width:60rem}svg text{fill:var(--fg);"
    "font:12px system-ui,sans-serif}svg .soft{fill:var(--soft)}"
    "code{font-family:ui-monospace,monospace;font-size:.9em}"
    ".key span{display:inline-block;margin:0 1rem .25rem 0}.key i{display:inline-block;width:.8rem;"
    "height:.8rem;margin-right:.35rem;vertical-align:-.08rem}.key i.round{border-radius:50%}"
    "@media print{body{max-width:none;padding:0}h3,table{break-inside:avoid}}\n";
