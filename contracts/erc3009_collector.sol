// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

interface IERC3009 {
    function receiveWithAuthorization(
        address from,
        address to,
        uint256 value,
        uint256 validAfter,
        uint256 validBefore,
        bytes32 nonce,
        bytes calldata signature
    ) external;

    function transfer(address to, uint256 value) external returns (bool);
}

/// Pulls the deposit of a batch channel by an EIP-3009 authorization of the payer.
///
/// The authorization names this contract as the payee, so that nobody else can use it, and its nonce is a hash of
/// the channel and a salt, so that it pays into no other channel. The token keeps the nonces.
///
/// What reverts says: CallerMustBeSettlement() when it is not the batch contract that asks, TransferFailed() when
/// the token answers false, and whatever the token says of the authorization, unchanged.
contract ERC3009DepositCollector {
    address public constant SETTLEMENT = 0x4020074e9dF2ce1deE5A9C1b5c3f541D02a10003;

    error CallerMustBeSettlement();
    error TransferFailed();

    /// `data` is validAfter, validBefore, salt and signature, ABI-encoded.
    function collect(address payer, address token, uint256 amount, bytes32 channelId, bytes calldata data) external {
        // Otherwise anybody could have the deposit moved without a channel that it is booked in.
        if (msg.sender != SETTLEMENT) revert CallerMustBeSettlement();
        (uint256 validAfter, uint256 validBefore, uint256 salt, bytes memory signature) =
            abi.decode(data, (uint256, uint256, uint256, bytes));
        bytes32 nonce = keccak256(abi.encode(channelId, salt));
        IERC3009(token).receiveWithAuthorization(
            payer, address(this), amount, validAfter, validBefore, nonce, signature
        );
        if (!IERC3009(token).transfer(SETTLEMENT, amount)) revert TransferFailed();
    }
}
