;; A function that is called with its own result once that was taken. It costs fuel like any other, and may
;; trap.
(component
  (core module $m
    (memory (export "memory") 1)
    (data (i32.const 16) "done")
    (func (export "run") (param $n i32) (result i32)
      (i32.store (i32.const 0) (i32.const 16))
      (i32.store (i32.const 4) (i32.const 4))
      (i32.store (i32.const 8) (local.get $n))
      (i32.const 0))
    (func (export "after") (param $at i32)
      (local $n i32)
      (local.set $n (i32.load offset=8 (local.get $at)))
      (loop $l (br_if $l (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
      (if (i32.eq (i32.load offset=8 (local.get $at)) (i32.const 13)) (then (unreachable)))))
  (core instance $i (instantiate $m))
  (func (export "run") (param "n" u32) (result string)
    (canon lift (core func $i "run") (memory (core memory $i "memory")) (post-return (core func $i "after")))))
