(* SPDX-License-Identifier: Apache-2.0 *)
(* Replays the lines of replay.c on the extracted state machine and on the definition of Vis; all
   must agree. *)
open Sp_model

let rec nat n = if n = 0 then O else S (nat (n - 1))
let rec int = function O -> 0 | S n -> 1 + int n
let word () = Scanf.scanf " %s" (fun w -> w)
let number () = Scanf.scanf " %d" (fun n -> n)
let tokens () = let n = number () in List.init n (fun _ -> number ())

let () =
  let streams = ref 0 and blocks = ref 0 and bad = ref 0 in
  let s = ref O and w = ref O and seen = ref 0 and listings = ref 0 and cache = ref cache_empty in
  let rec loop () =
    match word () with
    | "stream" ->
      incr streams; s := nat (number ()); w := nat (number ()); listings := number ();
      seen := 0; cache := cache_empty; loop ()
    | "block" ->
      incr blocks;
      for _ = 1 to number () do
        cache := append !s !w !cache !seen;
        incr seen
      done;
      let listed = List.init !listings (fun _ -> tokens ()) in
      let machine = contents !cache in
      let definition = List.map int (visible_tokens !s !w (nat (!seen - 1))) in
      if List.exists (fun l -> l <> machine) (definition :: listed) then begin
        incr bad;
        Printf.printf "S=%d W=%d after %d tokens: they differ\n" (int !s) (int !w) !seen
      end;
      loop ()
    | _ -> () in
  (try loop () with End_of_file | Scanf.Scan_failure _ -> ());
  Printf.printf "%d streams, %d blocks, %d differences\n" !streams !blocks !bad;
  if !bad > 0 || !streams < int_of_string Sys.argv.(1) then exit 1
