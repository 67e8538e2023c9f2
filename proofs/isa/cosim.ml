(* SPDX-License-Identifier: Apache-2.0 *)
(* Reads the lines of cosim.c and compares each result with the extracted model, bit for bit; any
   NaN equals any NaN. Fails on one mismatch, or on fewer lanes than asked for. *)
open Sp_model

let rec pos_of n =
  if n = 1 then XH else if n land 1 = 0 then XO (pos_of (n lsr 1)) else XI (pos_of (n lsr 1))
let z_of n = if n = 0 then Z0 else Zpos (pos_of n)
let rec int_of_pos = function XH -> 1 | XO p -> 2 * int_of_pos p | XI p -> 2 * int_of_pos p + 1
let int_of_z = function Z0 -> 0 | Zpos p -> int_of_pos p | Zneg p -> - (int_of_pos p)
let is_nan b = b land 0x7fffffff > 0x7f800000

let names = [| "vmulps"; "vaddps"; "vsubps"; "vfmadd"; "vfnmadd"; "vmaxps"; "vpermps";
               "vscalefps"; "exp16"; "exp64"; "exp128" |]

(* The lanes of cosim.c's table; the bits of a NaN as the index are those that the CPU had. *)
let table b l = of_bits (z_of ((b + int_of_z l * 0x01010101) land 0xffffffff))

let model op a b c =
  let f x = of_bits (z_of x) in
  let r = match op with
    | 0 -> vmulps (f a) (f b) | 1 -> vaddps (f a) (f b) | 2 -> vsubps (f a) (f b)
    | 3 -> vfmadd (f a) (f b) (f c) | 4 -> vfnmadd (f a) (f b) (f c)
    | 5 -> vmaxps (f a) (f b) | 6 -> vpermps (z_of a) (table b) (f a) | 7 -> vscalef (f a) (f b)
    | 8 -> of_bits (exp_bits (z_of a)) | 9 -> of_bits (step_bits (z_of a) (z_of b) (z_of c))
    | _ -> of_bits (wide_bits (z_of a) (z_of b) (z_of c)) in
  int_of_z (to_bits r)

let () =
  let wanted = int_of_string Sys.argv.(1) in
  let n = Array.make 11 0 and bad = Array.make 11 0 in
  (try
     while true do
       Scanf.scanf " %d %x %x %x %x" (fun op a b c cpu ->
         let m = model op a b c in
         n.(op) <- n.(op) + 1;
         if not (m = cpu || (is_nan m && is_nan cpu)) then begin
           bad.(op) <- bad.(op) + 1;
           if bad.(op) < 4 then
             Printf.printf "%s %x %x %x: cpu %x, model %x\n" names.(op) a b c cpu m
         end)
     done
   with End_of_file | Scanf.Scan_failure _ -> ());
  let failed = ref false in
  Array.iteri (fun i x ->
    if bad.(i) > 0 || x < wanted then failed := true;
    Printf.printf "%-12s %d lanes, %d mismatches\n" names.(i) x bad.(i)) n;
  if !failed then exit 1
