(* SPDX-License-Identifier: Apache-2.0 *)
(** T-18: rotary positions. A head vector is a list of planes (x, y) with one frequency each; the
    rotation by position p turns each plane by p times its frequency. Which elements of a head make a
    plane (EV-11's pairings) does not matter here. proves: EV-11, EV-12, EV-13 *)
From Coq Require Import Reals List Lra ZArith.
From Sinkproof Require Import Spec Sums.
Import ListNotations.
Open Scope R_scope.

Definition plane : Type := R * R.
Definition rotate (t : R) (v : plane) : plane :=
  (fst v * cos t - snd v * sin t, fst v * sin t + snd v * cos t).
Definition rope (p : Z) (v : list (R * plane)) : list plane :=
  map (fun fv => rotate (IZR p * fst fv) (snd fv)) v.
Definition inner (a b : list plane) : R :=
  dot (map fst a) (map fst b) + dot (map snd a) (map snd b).

Lemma rotate_rotate a b v : rotate a (rotate b v) = rotate (a + b) v.
Proof. unfold rotate; cbn [fst snd]; rewrite cos_plus, sin_plus; f_equal; ring. Qed.

(** R(0) is the identity and R(a) R(b) = R(a + b), so a shift of a cached key from p to p' is the
    rotation by p' - p. proves: EV-12 *)
Theorem T18_zero v : rotate 0 v = v.
Proof. destruct v; unfold rotate; cbn; rewrite cos_0, sin_0; f_equal; ring. Qed.

Theorem T18_shift (p p' : Z) f v :
  rotate (IZR (p' - p) * f) (rotate (IZR p * f) v) = rotate (IZR p' * f) v.
Proof. rewrite rotate_rotate; f_equal; rewrite minus_IZR; ring. Qed.

Lemma plane_product a b v w :
  fst (rotate a v) * fst (rotate b w) + snd (rotate a v) * snd (rotate b w)
  = fst (rotate (a - b) v) * fst w + snd (rotate (a - b) v) * snd w.
Proof. unfold rotate; cbn [fst snd]; rewrite cos_minus, sin_minus; ring. Qed.

Lemma inner_cons a b v w : inner (a :: v) (b :: w) = fst a * fst b + snd a * snd b + inner v w.
Proof. unfold inner; cbn [map]; rewrite !dot_cons; ring. Qed.

(** The score of a query at [p] and a key at [r] depends on p - r only: turn the query, turn the key
    again, or both. proves: EV-12, EV-13 *)
Theorem T18_relative (p r : Z) (qk : list (R * (plane * plane))) :
  inner (rope p (map (fun e => (fst e, fst (snd e))) qk)) (rope r (map (fun e => (fst e, snd (snd e))) qk))
  = inner (rope (p - r) (map (fun e => (fst e, fst (snd e))) qk)) (map (fun e => snd (snd e)) qk).
Proof.
  unfold rope; rewrite !map_map; cbn [fst snd].
  induction qk as [|[f [v w]] qk IH]; [reflexivity|].
  cbn [map fst snd]; rewrite !inner_cons, IH, plane_product, minus_IZR.
  now replace (IZR p * f - IZR r * f) with ((IZR p - IZR r) * f) by ring.
Qed.

(** A rotation keeps inner products, hence lengths. proves: EV-12 *)
Theorem T18_isometry (p : Z) (qk : list (R * (plane * plane))) :
  inner (rope p (map (fun e => (fst e, fst (snd e))) qk)) (rope p (map (fun e => (fst e, snd (snd e))) qk))
  = inner (map (fun e => fst (snd e)) qk) (map (fun e => snd (snd e)) qk).
Proof.
  rewrite T18_relative; replace (p - p)%Z with 0%Z by ring.
  unfold rope; rewrite map_map; cbn [fst snd].
  f_equal; apply map_ext; intros [f [v w]]; cbn; now rewrite Rmult_0_l, T18_zero.
Qed.

(** An attention factor that a shift applies again is not an isometry unless it is 1 or -1.
    proves: EV-12 *)
Theorem T18_attention_factor m v : v <> (0, 0) ->
  inner [(m * fst v, m * snd v)] [(m * fst v, m * snd v)] = inner [v] [v] -> m = 1 \/ m = -1.
Proof.
  destruct v as [x y]; intros Hv; unfold inner; simpl; intro H.
  assert (P : 0 < x * x + y * y).
  { pose proof (Rle_0_sqr x) as X; pose proof (Rle_0_sqr y) as Y.
    destruct (Req_dec x 0) as [Ex | Hx]; [destruct (Req_dec y 0) as [Ey | Hy]|].
    - now subst.
    - pose proof (Rsqr_pos_lt y Hy); unfold Rsqr in *; lra.
    - pose proof (Rsqr_pos_lt x Hx); unfold Rsqr in *; lra. }
  assert (E : (m * m - 1) * (x * x + y * y) = 0) by lra.
  apply Rmult_integral in E as [E | E]; [|lra].
  assert (F : (m - 1) * (m + 1) = 0) by lra; apply Rmult_integral in F as [F | F]; [left | right]; lra.
Qed.
