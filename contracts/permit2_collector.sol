// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

interface IPermit2 {
    struct TokenPermissions {
        address token;
        uint256 amount;
    }

    struct PermitTransferFrom {
        TokenPermissions permitted;
        uint256 nonce;
        uint256 deadline;
    }

    struct SignatureTransferDetails {
        address to;
        uint256 requestedAmount;
    }

    function permitWitnessTransferFrom(
        PermitTransferFrom calldata permit,
        SignatureTransferDetails calldata transferDetails,
        address owner,
        bytes32 witness,
        string calldata witnessTypeString,
        bytes calldata signature
    ) external;
}

interface IERC2612 {
    function permit(address owner, address spender, uint256 value, uint256 deadline, uint8 v, bytes32 r, bytes32 s)
        external;
}

/// Pulls the deposit of a batch channel by Permit2, for tokens without EIP-3009.
///
/// The payer's signature names this contract as the only spender and covers the channel as witness, so that it pays
/// into no other. Permit2 keeps the nonces.
///
/// What reverts says: CallerMustBeSettlement() when it is not the batch contract that asks, and whatever Permit2
/// says of the signature, unchanged.
contract Permit2DepositCollector {
    address public constant SETTLEMENT = 0x4020074e9dF2ce1deE5A9C1b5c3f541D02a10003;
    IPermit2 public constant PERMIT2 = IPermit2(0x000000000022D473030F116dDEE9F6B43aC78BA3);

    /// Completes Permit2's type. EIP-712 lists the types that are referred to in the order of their names.
    string public constant WITNESS_TYPE_STRING =
        "DepositWitness witness)DepositWitness(bytes32 channelId)TokenPermissions(address token,uint256 amount)";
    bytes32 public constant WITNESS_TYPEHASH = keccak256("DepositWitness(bytes32 channelId)");

    error CallerMustBeSettlement();

    /// `data` is nonce, deadline, signature and an EIP-2612 permit, ABI-encoded. The permit may be empty; if not, it
    /// is value, deadline, v, r and s, and lets Permit2 have the tokens.
    function collect(address payer, address token, uint256 amount, bytes32 channelId, bytes calldata data) external {
        // Otherwise anybody could have the deposit moved without a channel that it is booked in.
        if (msg.sender != SETTLEMENT) revert CallerMustBeSettlement();
        (uint256 nonce, uint256 deadline, bytes memory signature, bytes memory permit) =
            abi.decode(data, (uint256, uint256, bytes, bytes));
        if (permit.length > 0) _approve(payer, token, permit);
        PERMIT2.permitWitnessTransferFrom(
            IPermit2.PermitTransferFrom(IPermit2.TokenPermissions(token, amount), nonce, deadline),
            IPermit2.SignatureTransferDetails(SETTLEMENT, amount),
            payer,
            keccak256(abi.encode(WITNESS_TYPEHASH, channelId)),
            WITNESS_TYPE_STRING,
            signature
        );
    }

    function _approve(address payer, address token, bytes memory permit) private {
        (uint256 value, uint256 deadline, uint8 v, bytes32 r, bytes32 s) =
            abi.decode(permit, (uint256, uint256, uint8, bytes32, bytes32));
        // Whoever saw the signature may have used it before us; then the allowance is there and the rest succeeds.
        try IERC2612(token).permit(payer, address(PERMIT2), value, deadline, v, r, s) {} catch {}
    }
}
