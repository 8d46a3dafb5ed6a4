;; A trap of an operator that is no call, after some work.
(component
  (core module $m
    (func (export "run") (param $n i32) (result i32)
      (loop $l (br_if $l (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
      (i32.div_u (i32.const 1) (local.get $n))))
  (core instance $i (instantiate $m))
  (func (export "run") (param "n" u32) (result u32) (canon lift (core func $i "run"))))
