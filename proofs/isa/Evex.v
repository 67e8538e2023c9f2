(* SPDX-License-Identifier: Apache-2.0 *)
(** A small AVX-512 machine: the EVEX decoder and the lane-wise semantics of the opcodes in use.
    Trusted like Lane.v. A memory operand must lie inside the function's own bytes, which is what
    makes a theorem about them independent of where they are loaded. *)
From Coq Require Import ZArith List Bool.
From Flocq Require Import Core BinarySingleNaN.
From Sinkproof Require Import Lane.
Import ListNotations.
Open Scope Z_scope.

Inductive operand := Reg (n : Z) | Bcst (bits : Z).          (* Bcst: {1to16} from the leaf *)
Inductive form := F132 | F213 | F231.
Inductive instr :=
| Imul (d a : Z) (o : operand)
| Iadd (d a : Z) (o : operand)
| Isub (d a : Z) (o : operand)
| Imax (d a : Z) (o : operand)
| Ibcst (d : Z) (o : operand)
| Irndne (d : Z) (o : operand)
| Ifma (neg : bool) (f : form) (d a : Z) (o : operand)
| Iscalef (d a : Z) (o : operand).

(** ** Semantics: a zmm register is 16 lanes; every instruction is lane-wise. *)
Definition zmm := Z -> f32.
Definition regs := Z -> zmm.
Definition read (r : regs) (o : operand) : zmm :=
  match o with Reg n => r n | Bcst b => fun _ => of_bits b end.
Definition write (r : regs) (d : Z) (v : zmm) : regs := fun n => if n =? d then v else r n.
Definition step (i : instr) (r : regs) : regs :=
  match i with
  | Ibcst d o => write r d (read r o)
  | Imul d a o => write r d (fun l => vmulps (r a l) (read r o l))
  | Iadd d a o => write r d (fun l => vaddps (r a l) (read r o l))
  | Isub d a o => write r d (fun l => vsubps (r a l) (read r o l))
  | Imax d a o => write r d (fun l => vmaxps (r a l) (read r o l))
  | Irndne d o => write r d (fun l => vrndscale (read r o l))
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

(** ** Decoder: EVEX.512, no masking, a register or a RIP-relative broadcast operand. *)
Definition le32 (l : list Z) : option Z :=
  match l with a :: b :: c :: d :: _ => Some (a + 2^8 * b + 2^16 * c + 2^24 * d) | _ => None end.
Definition sx32 (z : Z) : Z := if z <? 2^31 then z else z - 2^32.
Definition bit (z k : Z) : Z := (z / 2^k) mod 2.

Section Decode.
Variable leaf : list Z.       (* all bytes of the leaf: code, then constants *)
Definition load (a : Z) : option Z :=
  if (0 <=? a) && (a + 4 <=? Z.of_nat (length leaf)) then le32 (skipn (Z.to_nat a) leaf) else None.

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
    let imm := if mmm =? 3 then 1 else 0 in
    let opnd :=
      if md =? 3 then
        if b =? 0 then Some (Reg (rm + 8 * (1 - bit p0 5) + 16 * (1 - bit p0 6)), 0)
        else None                                                           (* no static rounding *)
      else if (md =? 0) && (rm =? 5) then
        if (b =? 1) || ((mmm =? 2) && (op =? 0x18)) then
          match le32 rest with
          | Some dsp => match load (pc + 10 + imm + sx32 dsp) with
                        | Some k => Some (Bcst k, 4) | None => None end
          | None => None end
        else None
      else None in
    match opnd with
    | None => None
    | Some (o, n) =>
      let len := 6 + n + imm in
      let i8 := nth (Z.to_nat n) rest 0 in
      match mmm, pp, op with
      | 1, 0, 0x59 => Some (Imul d v o, len)
      | 1, 0, 0x58 => Some (Iadd d v o, len)
      | 1, 0, 0x5c => Some (Isub d v o, len)
      | 1, 0, 0x5f => Some (Imax d v o, len)
      | 2, 1, 0x18 => if v =? 0 then match o with Bcst _ => Some (Ibcst d o, len) | _ => None end else None
      | 2, 1, 0x98 => Some (Ifma false F132 d v o, len)
      | 2, 1, 0xa8 => Some (Ifma false F213 d v o, len)
      | 2, 1, 0xb8 => Some (Ifma false F231 d v o, len)
      | 2, 1, 0x9c => Some (Ifma true F132 d v o, len)
      | 2, 1, 0xac => Some (Ifma true F213 d v o, len)
      | 2, 1, 0xbc => Some (Ifma true F231 d v o, len)
      | 2, 1, 0x2c => Some (Iscalef d v o, len)
      | 3, 1, 0x08 => if (v =? 0) && (i8 =? 8) then Some (Irndne d o, len) else None
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
