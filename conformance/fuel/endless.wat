;; A loop that never ends, and one of calls: they stop where their fuel does.
(component
  (core module $m
    (func $forever (param i32) (result i32) (return_call $forever (i32.add (local.get 0) (i32.const 1))))
    (func (export "run") (param $n i32) (result i32)
      (if (local.get $n) (then (return (call $forever (local.get $n)))))
      (loop $l (br $l))
      (unreachable)))
  (core instance $i (instantiate $m))
  (func (export "run") (param "n" u32) (result u32) (canon lift (core func $i "run"))))
