(* SPDX-License-Identifier: Apache-2.0 *)
(** Finite sums, dot products and exponentials: what every other file of math/ stands on. *)
From Coq Require Import Reals List Lra Lia Permutation.
From Sinkproof Require Import Spec.
Import ListNotations.
Open Scope R_scope.

Lemma sum_nil : sum [] = 0. Proof. reflexivity. Qed.
Lemma sum_cons x l : sum (x :: l) = x + sum l. Proof. reflexivity. Qed.

Lemma sum_app a b : sum (a ++ b) = sum a + sum b.
Proof.
  induction a as [|x a IH]; [rewrite sum_nil; simpl app; lra|].
  rewrite <- app_comm_cons, !sum_cons, IH; lra.
Qed.

Lemma sum_perm a b : Permutation a b -> sum a = sum b.
Proof. induction 1; rewrite ?sum_cons; lra. Qed.

Lemma sum_map_mult {A} (f : A -> R) c l : sum (map (fun a => c * f a) l) = c * sum (map f l).
Proof.
  induction l as [|x l IH]; cbn [map]; [rewrite sum_nil; lra|].
  rewrite !sum_cons, IH; lra.
Qed.

Lemma sum_map_plus {A} (f g : A -> R) l :
  sum (map (fun a => f a + g a) l) = sum (map f l) + sum (map g l).
Proof.
  induction l as [|x l IH]; cbn [map]; [rewrite sum_nil; lra|].
  rewrite !sum_cons, IH; lra.
Qed.

Lemma sum_map_const {A} (c : R) (l : list A) : sum (map (fun _ => c) l) = INR (length l) * c.
Proof.
  induction l as [|x l IH]; cbn [map length]; [rewrite sum_nil; simpl INR; lra|].
  rewrite sum_cons, IH, S_INR; lra.
Qed.

Lemma sum_map_le {A} (f g : A -> R) l :
  (forall a, In a l -> f a <= g a) -> sum (map f l) <= sum (map g l).
Proof.
  induction l as [|x l IH]; intro H; cbn [map]; [lra|]; rewrite !sum_cons.
  pose proof (H x (or_introl eq_refl)); pose proof (IH (fun a i => H a (or_intror i))); lra.
Qed.

Lemma sum_map_ext {A} (f g : A -> R) l :
  (forall a, In a l -> f a = g a) -> sum (map f l) = sum (map g l).
Proof. intro H; f_equal; now apply map_ext_in. Qed.

Lemma sum_map_nonneg {A} (f : A -> R) l : (forall a, In a l -> 0 <= f a) -> 0 <= sum (map f l).
Proof.
  intro H; apply Rle_trans with (sum (map (fun _ => 0) l)); [|now apply sum_map_le].
  rewrite sum_map_const; lra.
Qed.

Lemma Rabs_sum_map {A} (f : A -> R) l :
  Rabs (sum (map f l)) <= sum (map (fun a => Rabs (f a)) l).
Proof.
  induction l as [|x l IH]; cbn [map]; [rewrite sum_nil, Rabs_R0; lra|].
  rewrite !sum_cons; apply Rle_trans with (1 := Rabs_triang _ _); lra.
Qed.

Lemma sum_map_in_le {A} (f : A -> R) l a :
  (forall a, In a l -> 0 <= f a) -> In a l -> f a <= sum (map f l).
Proof.
  induction l as [|x l IH]; [easy|]; intros H Hin; cbn [map]; rewrite sum_cons.
  pose proof (sum_map_nonneg f l (fun a i => H a (or_intror i))).
  pose proof (H x (or_introl eq_refl)).
  destruct Hin as [-> | Hin]; [lra|].
  specialize (IH (fun a i => H a (or_intror i)) Hin); lra.
Qed.

Lemma dot_cons a w b v : dot (a :: w) (b :: v) = a * b + dot w v.
Proof. reflexivity. Qed.

(** Most sums of a row run over its (logit, value) pairs. *)
Lemma dot_map {A} (f g : A -> R) l : dot (map f l) (map g l) = sum (map (fun a => f a * g a) l).
Proof. induction l as [|x l IH]; [reflexivity|]; cbn [map]; rewrite dot_cons, sum_cons, IH; lra. Qed.

Lemma dot_app w1 w2 v1 v2 : length w1 = length v1 ->
  dot (w1 ++ w2) (v1 ++ v2) = dot w1 v1 + dot w2 v2.
Proof.
  revert v1; induction w1 as [|w w1 IH]; destruct v1 as [|v v1]; try discriminate.
  - intros _; change (dot w2 v2 = 0 + dot w2 v2); lra.
  - intros H; injection H as H; rewrite <- !app_comm_cons, !dot_cons, (IH v1 H); lra.
Qed.

Lemma dot_scale_l c w v : dot (map (Rmult c) w) v = c * dot w v.
Proof.
  revert v; induction w as [|a w IH]; destruct v as [|b v]; try (change (0 = c * 0); ring).
  cbn [map]; rewrite !dot_cons, IH; ring.
Qed.

(** Positive weights keep an average inside the hull. *)
Lemma dot_hull w v lo hi : length v = length w -> Forall (fun p => 0 <= p) w ->
  (forall x, In x v -> lo <= x <= hi) -> sum w * lo <= dot w v <= sum w * hi.
Proof.
  revert v; induction w as [|p w IH]; intros [|x v] Hl W Hv; try discriminate Hl.
  - rewrite sum_nil; cbn [dot]; lra.
  - rewrite sum_cons, dot_cons; inversion W; subst; injection Hl as Hl.
    pose proof (Hv x (or_introl eq_refl)).
    pose proof (IH v Hl ltac:(assumption) (fun y i => Hv y (or_intror i))); nra.
Qed.

Lemma Forall2_len {A B} (P : A -> B -> Prop) a b : Forall2 P a b -> length a = length b.
Proof. induction 1; cbn; congruence. Qed.

Lemma Rabs_between x a : Rabs x <= a -> - a <= x <= a.
Proof. unfold Rabs; destruct (Rcase_abs x); lra. Qed.

(** ** Exponentials *)

Lemma exp_mono a b : a <= b -> exp a <= exp b.
Proof. intros [H | ->]; [left; now apply exp_increasing | right; auto]. Qed.

Lemma exp_le_inv' a b : exp a <= exp b -> a <= b.
Proof. intros [H | H]; [left; now apply exp_lt_inv | right; now apply exp_inv]. Qed.

Lemma Z_keys_nil : Z_keys [] = 0. Proof. reflexivity. Qed.
Lemma Z_keys_cons x l : Z_keys (x :: l) = exp x + Z_keys l. Proof. reflexivity. Qed.
Lemma Z_keys_app a b : Z_keys (a ++ b) = Z_keys a + Z_keys b.
Proof. unfold Z_keys; rewrite map_app; apply sum_app. Qed.

Lemma Z_keys_perm a b : Permutation a b -> Z_keys a = Z_keys b.
Proof. intro H; now apply sum_perm, Permutation_map. Qed.

Lemma Z_keys_nonneg l : 0 <= Z_keys l.
Proof. apply sum_map_nonneg; intros; left; apply exp_pos. Qed.

Lemma Z_keys_pos l : l <> [] -> 0 < Z_keys l.
Proof.
  destruct l as [|x l]; [easy|]; intros _; rewrite Z_keys_cons.
  pose proof (exp_pos x); pose proof (Z_keys_nonneg l); lra.
Qed.

Lemma Z_keys_in x l : In x l -> exp x <= Z_keys l.
Proof. apply (sum_map_in_le exp); intros; left; apply exp_pos. Qed.

Lemma Z_keys_shift c l : Z_keys (map (Rplus c) l) = exp c * Z_keys l.
Proof.
  unfold Z_keys; rewrite map_map, <- (sum_map_mult exp); f_equal.
  apply map_ext; intro; apply exp_plus.
Qed.

Lemma exp_sink_nonneg s : 0 <= exp_sink s.
Proof. destruct s; cbn; [left; apply exp_pos | lra]. Qed.

(** A row has mass when it has a key or a sink logit. *)
Definition inhabited (s : option R) (l : list R) : Prop := s <> None \/ l <> [].

Lemma Z_total_pos s l : inhabited s l -> 0 < Z_total s l.
Proof.
  unfold Z_total; intros [H | H].
  - destruct s as [s|]; [|easy]; cbn; pose proof (exp_pos s); pose proof (Z_keys_nonneg l); lra.
  - pose proof (Z_keys_pos l H); pose proof (exp_sink_nonneg s); lra.
Qed.

Lemma in_inhabited s (x : R) l : In x l -> inhabited s l.
Proof. right; destruct l; easy. Qed.

Lemma Z_total_None l : Z_total None l = Z_keys l.
Proof. unfold Z_total; cbn [exp_sink]; ring. Qed.

Lemma weight_pos s l x : inhabited s l -> 0 < weight s l x.
Proof. intro H; apply Rdiv_lt_0_compat; [apply exp_pos | now apply Z_total_pos]. Qed.

Lemma sum_weights s l : sum (weights s l) = Z_keys l / Z_total s l.
Proof.
  unfold weights, weight, Rdiv, Z_keys.
  rewrite (map_ext _ (fun x => / Z_total s l * exp x)) by (intro; ring).
  rewrite sum_map_mult; ring.
Qed.

(** The output of a row as a quotient. *)
Lemma out_quotient s l v : out s l v = dot (map exp l) v / Z_total s l.
Proof.
  unfold out, weights, weight, Rdiv; rewrite Rmult_comm, <- dot_scale_l, map_map.
  f_equal; apply map_ext; intro; ring.
Qed.
