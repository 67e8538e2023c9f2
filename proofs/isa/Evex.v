(* SPDX-License-Identifier: Apache-2.0 *)
(** A small AVX-512 machine: the EVEX decoder and the lane-wise semantics of the opcodes in use.
    Trusted like Lane.v. A memory operand must lie inside the function's own bytes, which is what
    makes a theorem about them independent of where they are loaded. *)
From Coq Require Import ZArith List Bool.
From Flocq Require Import Core BinarySingleNaN.
From Sinkproof Require Import Lane.
Import ListNotations.
Open Scope Z_scope.

Inductive operand :=
| Reg (n : Z)
| Bcst (bits : Z)                      (* {1to16} from the leaf *)
| Full (bits : list Z).                (* 16 lanes from the leaf *)
Inductive form := F132 | F213 | F231.
Inductive instr :=
| Imov (d : Z) (o : operand)
| Imul (d a : Z) (o : operand)
| Iadd (d a : Z) (o : operand)
| Isub (d a : Z) (o : operand)
| Imax (d a : Z) (o : operand)
| Iperm (d i : Z) (o : operand)        (* lanes of [o], named by register [i] *)
| Ifma (neg : bool) (f : form) (d a : Z) (o : operand)
| Iscalef (d a : Z) (o : operand).

(** ** Semantics: a zmm register is 16 lanes, numbered modulo 16; but for the permutation every
    instruction is lane-wise. *)
Definition zmm := Z -> f32.
Definition regs := Z -> zmm.
Definition vec (bits : list Z) : zmm := fun l => of_bits (nth (Z.to_nat (l mod 16)) bits 0).
Definition read (r : regs) (o : operand) : zmm :=
  match o with Reg n => r n | Bcst b => fun _ => of_bits b | Full v => vec v end.
Definition write (r : regs) (d : Z) (v : zmm) : regs := fun n => if n =? d then v else r n.

Section Run.
Variable junk : Z -> Z -> Z.  (* the bits of a NaN that a permutation finds in a register's lane *)
Definition step (i : instr) (r : regs) : regs :=
  match i with
  | Imov d o => write r d (read r o)
  | Imul d a o => write r d (fun l => vmulps (r a l) (read r o l))
  | Iadd d a o => write r d (fun l => vaddps (r a l) (read r o l))
  | Isub d a o => write r d (fun l => vsubps (r a l) (read r o l))
  | Imax d a o => write r d (fun l => vmaxps (r a l) (read r o l))
  | Iperm d i o => write r d (fun l => vpermps (junk i l) (read r o) (r i l))
  | Iscalef d a o => write r d (fun l => vscalef (r a l) (read r o l))
  | Ifma neg f d a o =>
      let op := if neg then vfnmadd else vfmadd in
      write r d (fun l => match f with
        | F132 => op (r d l) (read r o l) (r a l)
        | F213 => op (r a l) (r d l) (read r o l)
        | F231 => op (r a l) (read r o l) (r d l) end)
  end.
Fixpoint exec (p : list instr) (r : regs) : regs :=
  match p with [] => r | i :: q => exec q (step i r) end.
End Run.

(** ** Decoder: EVEX.512, no masking; a register, or lanes or a broadcast RIP-relative. *)
Definition le32 (l : list Z) : option Z :=
  match l with a :: b :: c :: d :: _ => Some (a + 2^8 * b + 2^16 * c + 2^24 * d) | _ => None end.
Fixpoint words (n : nat) (l : list Z) : option (list Z) :=
  match n with
  | O => Some []
  | S k => match le32 l, words k (skipn 4 l) with Some w, Some r => Some (w :: r) | _, _ => None end
  end.
Definition sx32 (z : Z) : Z := if z <? 2^31 then z else z - 2^32.
Definition bit (z k : Z) : Z := (z / 2^k) mod 2.

Section Decode.
Variable leaf : list Z.       (* all bytes of the leaf: code, then constants *)
Definition load (a : Z) : option Z :=
  if (0 <=? a) && (a + 4 <=? Z.of_nat (length leaf)) then le32 (skipn (Z.to_nat a) leaf) else None.

Definition load16 (a : Z) : option (list Z) :=
  if (0 <=? a) && (a + 64 <=? Z.of_nat (length leaf)) then words 16 (skipn (Z.to_nat a) leaf) else None.

(** The instruction at [pc] and the number of bytes it takes. *)
Definition decode1 (pc : Z) (c : list Z) : option (instr * Z) :=
  match c with
  | 0x62 :: p0 :: p1 :: p2 :: op :: modrm :: rest =>
    if negb ((bit p0 3 =? 0) && (bit p1 2 =? 1) && (bit p1 7 =? 0)        (* W0 *)
             && (bit p2 7 =? 0) && (p2 mod 8 =? 0)                          (* no z, k0 *)
             && (bit p2 6 =? 1) && (bit p2 5 =? 0)) then None else          (* 512 bit *)
    let mmm := p0 mod 8 in let pp := p1 mod 4 in
    let b := bit p2 4 in
    let d := (modrm / 8) mod 8 + 8 * (1 - bit p0 7) + 16 * (1 - bit p0 4) in
    let v := (15 - (p1 / 8) mod 16) + 16 * (1 - bit p2 3) in
    let md := modrm / 64 in let rm := modrm mod 8 in
    let opnd :=
      if md =? 3 then
        if b =? 0 then Some (Reg (rm + 8 * (1 - bit p0 5) + 16 * (1 - bit p0 6)), 0)
        else None                                                           (* no static rounding *)
      else if (md =? 0) && (rm =? 5) then
        match le32 rest with
        | Some dsp =>
            let at_ := pc + 10 + sx32 dsp in
            if b =? 1 then match load at_ with Some k => Some (Bcst k, 4) | None => None end
            else match load16 at_ with Some v => Some (Full v, 4) | None => None end
        | None => None end
      else None in
    match opnd with
    | None => None
    | Some (o, n) =>
      let len := 6 + n in
      match mmm, pp, op with
      | 1, 0, 0x10 => if (v =? 0) && (b =? 0) then Some (Imov d o, len) else None
      | 1, 0, 0x59 => Some (Imul d v o, len)
      | 1, 0, 0x58 => Some (Iadd d v o, len)
      | 1, 0, 0x5c => Some (Isub d v o, len)
      | 1, 0, 0x5f => Some (Imax d v o, len)
      | 2, 1, 0x16 => Some (Iperm d v o, len)
      | 2, 1, 0x98 => Some (Ifma false F132 d v o, len)
      | 2, 1, 0xa8 => Some (Ifma false F213 d v o, len)
      | 2, 1, 0xb8 => Some (Ifma false F231 d v o, len)
      | 2, 1, 0x9c => Some (Ifma true F132 d v o, len)
      | 2, 1, 0xac => Some (Ifma true F213 d v o, len)
      | 2, 1, 0xbc => Some (Ifma true F231 d v o, len)
      | 2, 1, 0x2c => Some (Iscalef d v o, len)
      | _, _, _ => None
      end
    end
  | _ => None
  end.

(** Instructions up to the first ret; what stands behind it is data. *)
Fixpoint decode (fuel : nat) (pc : Z) (c : list Z) : option (list instr) :=
  match fuel with O => None | S f =>
  match c with
  | 0xc3 :: _ => Some []
  | _ => match decode1 pc c with
         | Some (i, n) => match decode f (pc + n) (skipn (Z.to_nat n) c) with
                          | Some p => Some (i :: p) | None => None end
         | None => None end
  end end.
End Decode.

Definition program (leaf : list Z) : option (list instr) := decode leaf 256 0 leaf.
