(* SPDX-License-Identifier: Apache-2.0 *)
(* Reads the rows of tests/proofs/bound_rows.c, with a second argument the logits of tests/proofs/logit_rows.c,
   or where that is `rotated` those of tests/proofs/turn_rows.c, and compares each number of the judge
   with the enclosure that was extracted from Coq (bound/Enclose.v): it must be at least its upper end, and
   at most that and a share of 2^-17 (the judge's elementary functions are good to 2^-20). Prints the
   largest excess seen. *)
open Sp_bound

let rec pos_of n = if n = 1 then XH else if n land 1 = 0 then XO (pos_of (n lsr 1)) else XI (pos_of (n lsr 1))
let z_of n = if n = 0 then Z0 else if n > 0 then Zpos (pos_of n) else Zneg (pos_of (-n))
let two = z_of 2

let add (m, e) (n, f) =
  let least = Z.min e f in
  let shifted m e = Z.mul m (Z.pow two (Z.sub e least)) in
  (Z.add (shifted m e) (shifted n f), least)
let scale k (m, e) = (m, Z.add e (z_of k))

let number () = Scanf.scanf " %d %d" (fun m e -> (z_of m, z_of e))

let entry () =
  let e_logit = number () in
  let e_seen = number () in
  let e_slack = number () in
  let e_value = number () in
  let e_flushed = number () in
  { e_logit; e_seen; e_slack; e_value; e_flushed }

let cls () =
  let cl_u = number () in
  let cl_us = number () in
  let cl_up = number () in
  let cl_eps = number () in
  let cl_excess = number () in
  let cl_cd = number () in
  let cl_cz = number () in
  let cl_cl = number () in
  let cl_rv = number () in
  let cl_norm = number () in
  let cl_clog = number () in
  let cl_eta = number () in
  let cl_etas = number () in
  let cl_etap = number () in
  let cl_keys, cl_height, cl_rescales = Scanf.scanf " %d %d %d" (fun n h t -> (z_of n, z_of h, z_of t)) in
  { cl_u; cl_us; cl_up; cl_eps; cl_excess; cl_cd; cl_cz; cl_cl; cl_rv; cl_norm; cl_clog; cl_eta; cl_etas;
    cl_etap; cl_keys; cl_height; cl_rescales }

let rows = ref 0 and numbers = ref 0 and bad = ref 0 and loosest = ref 60

let complain name what =
  incr bad;
  if !bad <= 10 then Printf.printf "row %d, %s: %s\n" !rows name what

(* The share by which the judge is above, as the largest power of 2 below it. *)
let note_excess judge high =
  while !loosest > 0 && not (at_most judge (add high (scale (- !loosest) high))) do decr loosest done

(* Below any number that matters: where results are subnormal, rounding up costs more than a share. *)
let tiny = (z_of 1, z_of (-1060))

let compare name what judge enclosure =
  incr numbers;
  match upper_end enclosure with
  | None -> complain name (what ^ " could not be enclosed")
  | Some high ->
    if not (at_most high judge) then complain name (what ^ ": the judge is below the theorem");
    if not (at_most judge (add tiny (add high (scale (-17) high)))) then
      complain name (what ^ ": the judge is far above the theorem");
    if at_most (scale 100 tiny) high then note_excess judge high

let flag () = Scanf.scanf " %d" (fun b -> b = 1)
let count () = Scanf.scanf " %d" z_of

(* The same class on a row that holds a sink logit alone. *)
let empty_row name c =
  let base2 = flag () in
  let wide = count () in
  let s = number () in
  let vanishes = flag () in
  compare name "empty row" (number ()) (enclosed_empty c base2 wide s vanishes)

let row name =
  incr rows;
  let n, sink = Scanf.scanf " %d %d" (fun n s -> (n, s)) in
  let c = cls () in
  let top = number () in
  let a_max = number () in
  let a_keys = number () in
  let mu = number () in
  let mu_size = number () in
  let keys = List.init n (fun _ -> entry ()) in
  let terms = keys @ List.init sink (fun _ -> entry ()) in
  let r = enclosed c top a_max mu mu_size terms keys in
  let without = enclosed c mu a_keys mu (fst mu |> Z.abs, snd mu) keys keys in
  List.iteri (fun j i -> if j < n then compare name (Printf.sprintf "width %d" j) (number ()) i) r.r_widths;
  compare name "floor" (number ()) r.r_floor;
  compare name "output" (number ()) r.r_output;
  compare name "lse_total" (number ()) r.r_lse;
  compare name "lse_keys" (number ()) without.r_lse;
  empty_row name c

let tagged () = let x = number () in let gone = flag () in (x, gone)

let logit_cls () =
  let lc_u = number () in
  let lc_uqk = number () in
  let lc_ul = number () in
  let lc_eta = number () in
  let lc_etaqk = number () in
  let lc_etal = number () in
  let lc_wide = count () in
  let lc_rq = count () in
  let lc_rk = count () in
  { lc_u; lc_uqk; lc_ul; lc_eta; lc_etaqk; lc_etal; lc_wide; lc_rq; lc_rk }

let logit_entry () =
  let le_scale = number () in
  let le_cap = number () in
  let le_bias = number () in
  let le_slope = number () in
  let le_distance = number () in
  let le_capped = flag () in
  let le_biased = flag () in
  let le_alibi = flag () in
  let le_scale_gone = flag () in
  let le_bias_gone = flag () in
  let le_slope_gone = flag () in
  { le_scale; le_cap; le_bias; le_slope; le_distance; le_capped; le_biased; le_alibi; le_scale_gone;
    le_bias_gone; le_slope_gone }

let score () =
  match Scanf.scanf " %d" (fun d -> d) with
  | 0 -> let x = tagged () in let one = flag () in Given (x, one)
  | d -> Score (List.init d (fun _ -> let q = tagged () in let k = tagged () in (q, k)))

let logit name =
  incr rows;
  let c = logit_cls () in
  let e = logit_entry () in
  let x = score () in
  compare name "logit" (number ()) (enclosed_logit c e x)

let turn_cls () =
  let tc_ut = number () in
  let tc_ua = number () in
  let tc_urk = number () in
  let tc_etark = number () in
  let tc_reach = number () in
  let tc_base = number () in
  let tc_dims = count () in
  { tc_ut; tc_ua; tc_urk; tc_etark; tc_reach; tc_base; tc_dims }

let part () =
  let i = Scanf.scanf " %d" (fun i -> i) in
  let q = number () in
  let piece =
    if i < 0 then Plain (q, number ())
    else let qb = number () in let ka = number () in let kb = number () in Plane (z_of i, q, qb, ka, kb) in
  let gone = flag () in
  (piece, gone)

let rotated name =
  incr rows;
  let c = logit_cls () in
  let t = turn_cls () in
  let scale = number () in
  let gone = flag () in
  let parts = Scanf.scanf " %d" (fun n -> List.init n (fun _ -> part ())) in
  compare name "rotated" (number ()) (enclosed_rotated c t scale gone parts)

let () =
  let wanted = int_of_string Sys.argv.(1) in
  let block = match Array.to_list Sys.argv with
    | [_; _] -> row | [_; _; "rotated"] -> rotated | _ -> logit in
  (try while true do Scanf.scanf " %s@\n" (fun name -> if name = "" then raise End_of_file; block name) done
   with End_of_file | Scanf.Scan_failure _ -> ());
  Printf.printf "  %d rows, %d numbers, %d outside\n" !rows !numbers !bad;
  if !bad > 0 || !rows < wanted then exit 1;
  Printf.printf "  the judge's number is never below the theorem's, nor above it by 2^-%d of it\n" !loosest
